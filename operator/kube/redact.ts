const mask = '***';

/**
 * The patterns that hide a secret. Each keeps enough of the text for a person to see what kind of thing stood there.
 * They err on the side of hiding too much.
 */
const rules: readonly [pattern: RegExp, replacement: string][] = [
  // scheme://user:password@host, also where the password itself holds an unescaped @ or /: the last @ ends it.
  // The lengths are limited because a text full of :// would take quadratic time otherwise.
  [/\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:/@"'`]{0,256}):[^\s"'`]{0,1024}@/gi, `$1:${mask}@`],
  // postgres://host/db?password=… and every other query parameter that names a secret.
  [/([?&](?:password|passwd|pwd|sslpassword|token|access_token|secret|signature)=)[^&\s"'`]+/gi, `$1${mask}`],
  // libpq keyword/value strings, environment variables, JSON, YAML and what a program prints of its connection:
  // password='a b', POSTGRES_PASSWORD=x, "password": "x", also in a string of JSON, password: x.
  [
    /\b([\w.-]{0,40}(?:password|passwd|pwd)\\?["']?\s*(?:=>|[:=])\s*)(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\\"(?:[^"\\]|\\[^"])*\\"|[^\s&,;'"`]+)/gi,
    `$1${mask}`,
  ],
  // SQL: ALTER ROLE app PASSWORD 'x'.
  [/\b(password\s+)'(?:[^']|'')*'/gi, `$1'${mask}'`],
  // Authorization headers.
  [/\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${mask}`],
  // A JSON web token standing anywhere, which is what a ServiceAccount's token is.
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?/g, mask],
];

/**
 * Takes the secrets that can be recognised out of a text: passwords in URLs, in libpq connection strings and
 * beside a key that is called so, `PASSWORD '…'` in SQL, Authorization headers and JSON web tokens. Never throws; idempotent.
 */
export function redact(text: string): string {
  return rules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}
