# syntax=docker/dockerfile:1

# Builds with the development packages; nothing of this stage but its results is shipped.
FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without scripts: `prepare` would build, and the sources are not here yet. Native packages bring
# their binaries for this platform along, so nothing has to be compiled.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
# The embedded store's web interface. An image without it works as well, and says what it lacks.
RUN node scripts/fauxton.mjs --optional && mkdir -p vendor
COPY src src
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund
# Fails here rather than at the first start, should a release lack the binary of this platform.
RUN node -e "require('leveldown')"

FROM node:20-bookworm-slim
# Inside a container only the container's own network decides who can reach the port. Without
# COUCHDB_URL the embedded store runs, with its files in the volume; its demo data has published
# credentials, so the service then asks for DEMO_DATA=false or ALLOW_PUBLIC_DEMO=true.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8000 DATA_DIR=/data
# For maintenance: docker compose exec telcouch sup --help
ENV PATH=/app/node_modules/.bin:$PATH
WORKDIR /app
# /backups is for `sup backup_maintenance backup /backups/<name>`, on a volume of its own.
RUN install -d -o node -g node -m 0700 /data /backups
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY --from=build /app/vendor vendor
COPY couch-views couch-views
COPY seeds seeds
USER node
VOLUME ["/data", "/backups"]
EXPOSE 8000
# /live never asks the store: a store that is away is no reason to restart this process.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
CMD ["node", "dist/server.js"]
