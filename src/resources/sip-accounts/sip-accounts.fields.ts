import { InvalidError, type Issue } from '../../core/errors.js';
import { parseNetwork } from '../../core/ip-address.js';
import type { NewSipAccount } from './sip-accounts.doc.js';

/** Networks of one account, at most, and how long the text of them may be. */
const MAX_NETWORKS = 200;
const MAX_TEXT = 10_000;

const NETWORKS = `at most ${MAX_NETWORKS} IP addresses or networks`;
/** What is wrong with allowed IPs that are refused, for people. */
export const ALLOWED_IPS_MESSAGE = `must be ${NETWORKS}, separated by commas`;

/** Kazoo's schema of devices: 2 to 32 characters; these are the ones that URIs hold unescaped. */
const USERNAME = /^[A-Za-z0-9][A-Za-z0-9._-]{1,31}$/;
/** Kazoo's schema again; printable ASCII without blanks, which phones can be given. */
const PASSWORD = /^[\x21-\x7e]{5,32}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses.
const NAME = /^[^\u0000-\u001f\u007f]{1,64}$/u;
const MAX_CALLER_ID = 999_999_999_999_999;

/**
 * Networks from a text with commas or spaces between them, as they are stored and shown: each with
 * its length, host bits masked, each once, joined by commas. Null for an empty text, undefined for
 * one that is no such list.
 */
export function parseAllowedIps(text: string): string | null | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const parts = text.split(/[\s,]+/).filter((part) => part !== '');
  const networks = new Set<string>();
  for (const part of parts) {
    const network = parseNetwork(part);
    if (network === undefined) return undefined;
    networks.add(`${network.address}/${network.length}`);
  }
  if (networks.size > MAX_NETWORKS) return undefined;
  return networks.size === 0 ? null : [...networks].join(',');
}

function issue(field: string, message: string): Issue {
  return { path: [field], rule: 'invalid', message };
}

/** What is wrong with a user name or a password, in words that never quote the password. */
function credentialIssues({ username, password }: Partial<NewSipAccount>): Issue[] {
  const issues: Issue[] = [];
  if (username !== undefined && !USERNAME.test(username)) {
    const text = 'must have 2 to 32 letters, digits, dots, hyphens or underscores';
    issues.push(issue('username', text));
  }
  if (password !== undefined && !PASSWORD.test(password)) {
    issues.push(issue('password', 'must have 5 to 32 printable characters without blanks'));
  }
  return issues;
}

/** The account with its networks in their one spelling; `InvalidError` with every fault. */
export function checkSipAccount<T extends Partial<NewSipAccount>>(input: T): T {
  const issues = credentialIssues(input);
  const { callerIdName, allowedIps } = input;
  if (typeof callerIdName === 'string' && !NAME.test(callerIdName)) {
    issues.push(issue('caller_id_name', 'must have 1 to 64 characters and no control characters'));
  }
  for (const [field, value] of [
    ['internal_caller_id', input.internalCallerId],
    ['external_caller_id', input.externalCallerId],
  ] as const) {
    if (typeof value !== 'number') continue;
    if (Number.isSafeInteger(value) && value >= 0 && value <= MAX_CALLER_ID) continue;
    issues.push(issue(field, 'must be a number of at most 15 digits'));
  }
  const networks = typeof allowedIps === 'string' ? parseAllowedIps(allowedIps) : allowedIps;
  if (typeof allowedIps === 'string' && networks === undefined) {
    issues.push(issue('allowed_ips', ALLOWED_IPS_MESSAGE));
  }
  if (issues.length > 0) throw new InvalidError(issues);
  return networks === undefined ? input : { ...input, allowedIps: networks };
}
