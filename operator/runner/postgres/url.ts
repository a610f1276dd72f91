import { parse } from 'pg-connection-string';
import type { ClientConfig } from 'pg';
import { StepFailure } from '../core/failure.ts';

/** Where the target database is and as whom it is reached. */
export interface DatabaseAddress {
  host: string;
  port: number;
  user: string;
  password?: string;
  database: string;
  ssl?: ClientConfig['ssl'];
  /** libpq's sslmode, for pg_dump. */
  sslMode?: string;
  /** Path of the authorities' certificates, for pg_dump. */
  sslRootCertificate?: string;
}

const ADVICE = 'give the Secret a value like postgres://user:***@host:5432/database';

/** What libpq knows. The parser takes any, and what pg_dump refuses would be found out by the backup only. */
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/**
 * Reads a postgres:// URL. Nothing of a malformed one is repeated in the message: it may hold a password anywhere.
 *
 * @throws StepFailure InvalidDatabaseURL
 */
export function parseDatabaseUrl(text: string | undefined): DatabaseAddress {
  if (text === undefined || text.trim() === '')
    throw new StepFailure('InvalidDatabaseURL', `DATABASE_URL is empty; ${ADVICE}`);
  if (!/^postgres(ql)?:\/\//.test(text.trim()))
    throw new StepFailure('InvalidDatabaseURL', `DATABASE_URL is not a postgres:// URL; ${ADVICE}`);
  const parsed = parseUrl(text.trim());
  const missing = (['host', 'database', 'user'] as const).filter((part) => !parsed[part]);
  if (missing.length > 0)
    throw new StepFailure('InvalidDatabaseURL', `DATABASE_URL has no ${missing.join(' and no ')}; ${ADVICE}`);
  const port = parsed.port ? Number(parsed.port) : 5432;
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new StepFailure(
      'InvalidDatabaseURL',
      `DATABASE_URL has a port that is not a number from 1 to 65535; ${ADVICE}`,
    );
  const mode = parsed['sslmode'] as string | undefined;
  if (mode && !SSL_MODES.includes(mode))
    throw new StepFailure(
      'InvalidDatabaseURL',
      `DATABASE_URL has an sslmode that is none of ${SSL_MODES.join(', ')}; ${ADVICE}`,
    );
  const authorities = parsed['sslrootcert'] as string | undefined;
  return {
    host: parsed.host!,
    port,
    user: parsed.user!,
    database: parsed.database!,
    ...(parsed.password ? { password: parsed.password } : {}),
    ...(parsed.ssl === undefined ? {} : { ssl: parsed.ssl as ClientConfig['ssl'] }),
    ...(mode ? { sslMode: mode } : {}),
    ...(authorities ? { sslRootCertificate: authorities } : {}),
  };
}

function parseUrl(text: string): ReturnType<typeof parse> {
  try {
    // new URL() refuses what libpq would refuse; the parser alone is lenient.
    refuseWrongEscapes(new URL(text));
    return parse(text);
  } catch (error) {
    if (error instanceof StepFailure) throw error;
    throw new StepFailure('InvalidDatabaseURL', `DATABASE_URL cannot be parsed as a URL; ${ADVICE}`);
  }
}

/** What libpq refuses the parser takes for plain text, or refuses without a word for which part it is. */
function refuseWrongEscapes({ username, password, hostname, pathname, search }: URL): void {
  const parts = { user: username, password, host: hostname, database: pathname, parameters: search };
  const wrong = Object.entries(parts).find(([, text]) => !isPercentEncoded(text));
  if (wrong)
    throw new StepFailure(
      'InvalidDatabaseURL',
      `DATABASE_URL has a wrong percent-encoding in its ${wrong[0]} (a % itself is written %25); ${ADVICE}`,
    );
}

function isPercentEncoded(text: string): boolean {
  try {
    return !decodeURIComponent(text).includes('\0');
  } catch {
    return false;
  }
}

/** Environment for libpq programs: the password never stands among the arguments, where `ps` shows it. */
export function libpqEnvironment(
  address: DatabaseAddress,
  options: { database?: string; application: string },
): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    PGHOST: address.host,
    PGPORT: String(address.port),
    PGUSER: address.user,
    PGDATABASE: options.database ?? address.database,
    PGAPPNAME: options.application,
    PGCONNECT_TIMEOUT: '10',
    ...(address.password === undefined ? {} : { PGPASSWORD: address.password }),
    ...(address.sslMode ? { PGSSLMODE: address.sslMode } : {}),
    ...(address.sslRootCertificate ? { PGSSLROOTCERT: address.sslRootCertificate } : {}),
  };
}
