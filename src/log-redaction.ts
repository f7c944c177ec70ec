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
/** What stands between the dividers of a URL, which may be percent-encoded. */
const SEGMENT = /[^\s"'/?#&;=]+/g;
const URL_LOGIN = /(\/\/)[^/?#\s"']{1,400}@/g;
const SCHEME_CREDENTIALS = /\b(Basic|Bearer)\s+[A-Za-z0-9._~+/=-]+/gi;
const JWT = /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g;
const SEALED_OR_DIGEST = /\b(?:v1|demo1)\.[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{32,}/g;

/** No sealed value or digest is shorter: a name, a key id and 32 characters. */
const SEALED_MIN = 'v1.a.'.length + 32;

/** How often a text is decoded: proxies and clients encode what is encoded already. */
const DECODINGS_MAX = 5;

/** Names that were judged: those of fields are few and come with every line. */
const judged = new Map<string, boolean>();
const JUDGED_MAX = 1_000;

/** True when a member of that name holds a secret, in whatever case and with whatever dividers. */
export function isSecretName(name: string): boolean {
  const known = judged.get(name);
  if (known !== undefined) return known;
  const isSecret = judge(name);
  if (judged.size < JUDGED_MAX) judged.set(name, isSecret);
  return isSecret;
}

function judge(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  return SECRET_NAMES.has(plain) || SECRET_ENDS.some((end) => plain.endsWith(end));
}

/**
 * The text without what can be told to be secret: secret members of query strings (their names may
 * be percent-encoded), user and password of URLs, credentials of the Authorization header, tokens,
 * sealed values.
 */
export function redactText(text: string): string {
  let redacted = text.includes('%') ? text.replace(SEGMENT, redactEncoded) : text;
  if (text.includes('=')) redacted = redacted.replace(QUERY_MEMBER, redactMember);
  if (text.includes('@')) redacted = redacted.replace(URL_LOGIN, `$1${REDACTED}@`);
  // Most texts are short words and numbers, for which these are answers enough.
  if (/\s/.test(redacted)) redacted = redacted.replace(SCHEME_CREDENTIALS, `$1 ${REDACTED}`);
  if (redacted.includes('eyJ')) redacted = redacted.replace(JWT, REDACTED);
  return redacted.length < SEALED_MIN ? redacted : redacted.replace(SEALED_OR_DIGEST, REDACTED);
}

function redactMember(whole: string, divider: string, name: string, value: string): string {
  if (value === '' || !isSecretName(decode(name))) return whole;
  return `${divider}${name}=${REDACTED}`;
}

/** Redacts the whole segment, because a place in the decoded text is none in the encoded one. */
function redactEncoded(segment: string): string {
  if (!segment.includes('%')) return segment;
  const plain = decode(segment);
  const redacted = [SCHEME_CREDENTIALS, JWT, SEALED_OR_DIGEST].reduce(
    (text, pattern) => text.replace(pattern, REDACTED),
    plain,
  );
  return redacted === plain ? segment : REDACTED;
}

/** The text without percent-encoding; unlike decodeURIComponent it takes what is malformed. */
function decode(text: string): string {
  let decoded = text;
  for (let n = 0; n < DECODINGS_MAX && decoded.includes('%'); n += 1) {
    decoded = decoded
      .replace(/%(?:25)+/g, '%')
      .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  }
  return decoded;
}
