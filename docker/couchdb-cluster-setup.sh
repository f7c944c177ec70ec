#!/bin/bash
# Joins CouchDB nodes to one cluster by the setup API. Running it again does no harm; a node that is
# new is joined, also in the place of one that was lost (docs/cluster.md).
#
#   COUCHDB_NODES                  name@host:port of each node, separated by spaces; the first one
#                                  is asked to do it
#   COUCHDB_USER, COUCHDB_PASSWORD the admin, the same on every node
set -euo pipefail

read -ra nodes <<<"$COUCHDB_NODES"
address() { echo "${1#*@}"; }
erlang_name() { echo "${1%:*}"; }

# The login goes in by a file descriptor, so that no list of processes shows it.
ask() { # method, node, path, [body]
  local body=()
  [ $# -lt 4 ] || body=(--header 'Content-Type: application/json' --data "$4")
  curl --silent --show-error --max-time 30 --request "$1" "${body[@]}" \
    --config <(printf 'user = "%s:%s"\n' "$COUCHDB_USER" "$COUCHDB_PASSWORD") \
    "http://$(address "$2")$3"
}

fail() {
  echo "$1" >&2
  exit 1
}

members() { # of a node's answer, one a line
  ask GET "$1" /_membership | grep -o '"cluster_nodes":\[[^]]*\]' | grep -o '[^",:[]*@[^",]*' || true
}

for node in "${nodes[@]}"; do
  for try in {1..60}; do
    ask GET "$node" /_up >/dev/null 2>&1 && break
    [ "$try" -lt 60 ] || fail "$(address "$node") does not answer"
    sleep 1
  done
done

first=${nodes[0]}
for node in "${nodes[@]:1}"; do
  name=$(erlang_name "$node")
  if members "$first" | grep --quiet --line-regexp --fixed-strings "$name"; then
    # It is known, but maybe by its name only: a node with empty files knows of nobody itself.
    if members "$node" | grep --quiet --line-regexp --fixed-strings "$(erlang_name "$first")"; then
      echo "$name is joined"
      continue
    fi
  fi
  at=$(address "$node")
  answer=$(ask POST "$first" /_cluster_setup "{\"action\":\"add_node\",\"name\":\"${node%@*}\",
    \"host\":\"${at%:*}\",\"port\":${at##*:},
    \"username\":\"$COUCHDB_USER\",\"password\":\"$COUCHDB_PASSWORD\"}")
  echo "$name: $answer"
done

# Makes the system databases; gives every node the first one's admins, secret and id.
answer=$(ask POST "$first" /_cluster_setup '{"action":"finish_cluster"}')
echo "finish: $answer"

# Whatever was answered on the way: this is what had to come out.
for node in "${nodes[@]}"; do
  for try in {1..30}; do
    [ "$(members "$node" | wc -l)" -eq ${#nodes[@]} ] && break
    [ "$try" -lt 30 ] || fail "$(erlang_name "$node") knows of $(members "$node" | tr '\n' ' ')"
    sleep 1
  done
  ask GET "$node" /_cluster_setup | grep --quiet cluster_finished || fail "$node is not finished"
done
echo "a cluster of ${#nodes[@]} nodes"
