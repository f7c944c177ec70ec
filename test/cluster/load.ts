import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../support/service.js';
import type { ServiceProcess } from '../support/service-process.js';

/** What callers were told, to be compared with what is stored in the end. */
export interface Acknowledged {
  /** Who holds each address; `undefined` once it was released, `unknown` after a 503. */
  readonly holders: Map<string, string | undefined | 'unknown'>;
  readonly createdIps: Set<string>;
  /** Ids of accounts by name; of those whose creation ended in a 503 there may be more. */
  readonly accounts: Map<string, string>;
  /** Answers by status and what they were to. */
  readonly answers: Map<string, number>;
  /** What must never happen, in words. */
  readonly faults: string[];
}

export interface LoadOptions {
  readonly processes: readonly ServiceProcess[];
  readonly token: string;
  readonly parentId: string;
  /** Accounts that addresses are assigned to. */
  readonly accounts: readonly string[];
  /** Free addresses, for each kind of caller its own. */
  readonly own: readonly string[];
  readonly contended: readonly string[];
  readonly zone: string;
  /** Of this run: addresses and accounts that are made have it in their names. */
  readonly run: number;
}

const PAUSE_MS = 25;
const ACCOUNT_PAUSE_MS = 1500;
/** Honest answers of a store that is away for a moment, or of a race. */
const EXPECTED = [200, 201, 400, 409, 503];

/** Starts the callers; `stop` resolves once each has its last answer. */
export function startLoad(options: LoadOptions): {
  readonly seen: Acknowledged;
  stop(): Promise<void>;
} {
  const seen: Acknowledged = {
    holders: new Map(),
    createdIps: new Set(),
    accounts: new Map(),
    answers: new Map(),
    faults: [],
  };
  const ended = new AbortController();
  const { token, processes } = options;
  let turn = 0;

  async function call(method: string, path: string, data: object): Promise<Answer> {
    turn += 1;
    const process = processes[turn % processes.length] as ServiceProcess;
    const answer = await process.call(method, path, { token, body: { data } });
    const label = `${method} ${path.replaceAll(/[0-9a-f]{32}|\d+\.\d+\.\d+\.\d+/g, '*')}`;
    const key = `${answer.status} ${label}`;
    seen.answers.set(key, (seen.answers.get(key) ?? 0) + 1);
    if (!EXPECTED.includes(answer.status)) {
      seen.faults.push(`${label} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    }
    return answer;
  }

  const has = (answer: Answer, ip: string): boolean =>
    answer.status === 200 && answer.body?.data?.success?.[ip] !== undefined;
  const assign = (accountId: string, ip: string) =>
    call('POST', `/v2/accounts/${accountId}/ips`, { ips: [ip] });
  const release = (accountId: string, ip: string) =>
    call('DELETE', `/v2/accounts/${accountId}/ips`, { ips: [ip] });

  function note(ip: string, answer: Answer, holder: string | undefined): void {
    if (has(answer, ip)) seen.holders.set(ip, holder);
    else if (answer.status === 503) seen.holders.set(ip, 'unknown');
  }

  /** Nobody else writes these addresses, so each answer is known to hold until the next one. */
  async function ownAddresses(n: number, ips: readonly string[]): Promise<void> {
    const account = options.accounts[n % options.accounts.length] ?? '';
    for (let k = 0; !ended.signal.aborted; k += 1) {
      const ip = ips[k % ips.length] ?? '';
      note(ip, await assign(account, ip), account);
      await sleep(PAUSE_MS);
      if (k % 5 !== 0) note(ip, await release(account, ip), undefined);
      await sleep(PAUSE_MS);
    }
  }

  /** Every account wants the same address at once; whoever is told yes gives it back later. */
  async function contend(): Promise<void> {
    for (let k = 0; !ended.signal.aborted; k += 1) {
      const ip = options.contended[k % options.contended.length] ?? '';
      const answers = await Promise.all(options.accounts.map((account) => assign(account, ip)));
      const winners = options.accounts.filter((_, n) => has(answers[n] as Answer, ip));
      if (winners.length > 1) seen.faults.push(`${ip} was given to ${winners.join(' and ')}`);
      if (answers.some(({ status }) => status === 503)) seen.holders.set(ip, 'unknown');
      if (winners.length === 1) seen.holders.set(ip, winners[0]);
      await sleep(PAUSE_MS);
      for (const account of options.accounts) {
        if (k % 4 !== 0) note(ip, await release(account, ip), undefined);
      }
    }
  }

  /** Any address of a zone, by several callers at once; none may be given out twice. */
  async function allocate(n: number): Promise<void> {
    const account = options.accounts[n % options.accounts.length] ?? '';
    while (!ended.signal.aborted) {
      const body = { quantity: 1, zone: options.zone };
      const answer = await call('POST', `/v2/accounts/${account}/ips`, body);
      for (const ip of answer.status === 200 ? Object.keys(answer.body.data.success) : []) {
        const before = seen.holders.get(ip);
        if (before !== undefined) seen.faults.push(`${ip} was given to ${before} and ${account}`);
        seen.holders.set(ip, account);
      }
      await sleep(PAUSE_MS * 6);
    }
  }

  async function createIps(): Promise<void> {
    for (let k = 0; !ended.signal.aborted; k += 1) {
      const ip = `10.${100 + options.run}.${k >> 8}.${k & 255}`;
      const data = { ip, zone: 'created', host: 'created.example.net' };
      if ((await call('PUT', '/v2/ips', data)).status === 201) seen.createdIps.add(ip);
      await sleep(PAUSE_MS * 4);
    }
  }

  /** Two at once want the same name. */
  async function createAccounts(): Promise<void> {
    for (let k = 0; !ended.signal.aborted; k += 1) {
      const name = `Rolling ${options.run} ${k}`;
      const path = `/v2/accounts/${options.parentId}`;
      const answers = await Promise.all([call('PUT', path, { name }), call('PUT', path, { name })]);
      const made = answers.filter(({ status }) => status === 201);
      if (made.length > 1) seen.faults.push(`two accounts are named ${name}`);
      if (made[0] !== undefined) seen.accounts.set(name, made[0].body.data.id);
      await sleep(ACCOUNT_PAUSE_MS);
    }
  }

  const third = Math.ceil(options.own.length / 3);
  const work = [
    ...[0, 1, 2].map((n) => ownAddresses(n, options.own.slice(n * third, (n + 1) * third))),
    contend(),
    allocate(0),
    allocate(1),
    createIps(),
    createAccounts(),
  ];
  return {
    seen,
    async stop() {
      ended.abort();
      await Promise.all(work);
    },
  };
}
