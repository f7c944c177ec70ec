/** What stands in a log line in place of a secret. */
export const REDACTED = '[redacted]';

const SECRET_NAMES = new Set([
  'accesskey',
  'authentication',
  'authorization',
  'cookies',
  'credential',
  'jwt',
  'passphrase',
  'pin',
  'privatekey',
  'proxyauthorization',
  'pvtmd5auth',
  'pvtsha1auth',
  'pwd',
  'secretkey',
  'session',
]);

/** Ends of names: `X-Auth-Token`, `embeddedCouchdbPassword`, `set-cookie`, `pvt_api_key_sealed`. */
const SECRET_ENDS = [
  'apikey',
  'apikeydigest',
  'cookie',
  'credentialhash',
  'credentials',
  'keyring',
  'passwd',
  'password',
  'passwordhash',
  'passwords',
  'sealed',
  'secret',
  'secrets',
  'sessionid',
  'token',
];

/** Query or form members: a separator or the start, a name, `=` and a value. */
const QUERY_MEMBER = /(^|[?&;\s"'])([A-Za-z0-9_.%[\]-]{1,100})=([^&;\s"'#]*)/g;
const URL_LOGIN = /(\/\/)[^/?#\s"']{1,400}@/g;
const SCHEME_CREDENTIALS = /\b(Basic|Bearer)\s+[A-Za-z0-9._~+/=-]+/gi;
const JWT = /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;
const SEALED_OR_DIGEST = /\b(?:v1|demo1)\.[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{32,}/g;

/** True when a member of that name holds a secret, in whatever case and with whatever dividers. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  return SECRET_NAMES.has(plain) || SECRET_ENDS.some((end) => plain.endsWith(end));
}

/**
 * The text without what can be told to be secret: secret members of query strings (their names may
 * be percent-encoded), user and password of URLs, credentials of the Authorization header, tokens,
 * sealed values.
 */
export function redactText(text: string): string {
  let redacted = text;
  if (text.includes('=')) redacted = redacted.replace(QUERY_MEMBER, redactMember);
  if (text.includes('@')) redacted = redacted.replace(URL_LOGIN, `$1${REDACTED}@`);
  return redacted
    .replace(SCHEME_CREDENTIALS, `$1 ${REDACTED}`)
    .replace(JWT, REDACTED)
    .replace(SEALED_OR_DIGEST, REDACTED);
}

function redactMember(whole: string, divider: string, name: string, value: string): string {
  if (value === '' || !isSecretName(decode(name))) return whole;
  return `${divider}${name}=${REDACTED}`;
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
