import { AppError, InvalidError } from '../../core/errors.js';
import { fromDoc, isUsername, type OperatorUser, toDoc } from './operators.doc.js';
import type { OperatorPasswords } from './operators.passwords.js';
import type { OperatorStore } from './operators.store.js';

export type OperatorService = ReturnType<typeof createOperatorService>;

const PASSWORD_MIN = 8;
const PASSWORD_MAX = 256;

function checkPassword(password: string): void {
  const { length } = password;
  if (length >= PASSWORD_MIN && length <= PASSWORD_MAX) return;
  const message = `must have ${PASSWORD_MIN} to ${PASSWORD_MAX} characters`;
  throw new InvalidError([{ path: ['password'], rule: 'length', message }]);
}

/** Managing operators; who may is not asked here. */
export function createOperatorService(deps: {
  readonly store: OperatorStore;
  readonly passwords: OperatorPasswords;
  readonly accountExists: (accountId: string) => Promise<boolean>;
  /** What was remembered of the operator counts no more. */
  readonly onChange: (username: string) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
}) {
  const { store, passwords } = deps;

  async function get(username: string): Promise<OperatorUser> {
    const operator = await store.find(username);
    if (operator !== undefined) return operator;
    throw new AppError('not_found', `no operator is called ${username}`, { subject: username });
  }

  async function change(
    before: OperatorUser,
    values: Partial<Pick<OperatorUser, 'passwordDigest' | 'isEnabled'>>,
  ): Promise<OperatorUser> {
    try {
      const doc = toDoc({ ...before, ...values }, before.stored, deps.now());
      return fromDoc(await store.replace(doc)) ?? before;
    } finally {
      deps.onChange(before.username);
    }
  }

  async function remove(username: string): Promise<OperatorUser> {
    const operator = await get(username);
    try {
      await store.remove(operator);
    } finally {
      deps.onChange(username);
    }
    return operator;
  }

  return {
    get,
    list: store.list,
    remove,

    async create(username: string, accountId: string, password: string): Promise<OperatorUser> {
      if (!isUsername(username)) {
        const message = 'must begin with a letter or digit and have no other than . _ @ + - beside';
        throw new InvalidError([{ path: ['username'], rule: 'pattern', message }]);
      }
      checkPassword(password);
      if (!(await deps.accountExists(accountId))) {
        throw new AppError('not_found', 'no such account', { subject: accountId });
      }
      if ((await store.find(username)) !== undefined) {
        throw new AppError('conflict', `there is an operator called ${username}`, {
          reason: 'exists',
        });
      }
      const passwordDigest = await passwords.hash(username, password);
      const operator = { username, accountId, passwordDigest, isEnabled: true };
      const saved = await store.save(toDoc(operator, undefined, deps.now()));
      deps.onChange(username);
      return fromDoc(saved) ?? get(username);
    },

    async setPassword(username: string, password: string): Promise<OperatorUser> {
      checkPassword(password);
      const before = await get(username);
      return change(before, { passwordDigest: await passwords.hash(username, password) });
    },

    async setEnabled(username: string, isEnabled: boolean): Promise<OperatorUser> {
      return change(await get(username), { isEnabled });
    },

    /** Operators go with their account. */
    participant: {
      name: 'operators',
      listHolds: () => Promise.resolve([]),
      async release(accountId: string): Promise<void> {
        for (const operator of await store.list()) {
          if (operator.accountId === accountId) await remove(operator.username);
        }
      },
    },
  };
}
