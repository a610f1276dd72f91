/** What the backend is told by its environment. */
export interface Config {
  databaseUrl: string;
  apiToken: string;
  port: number;
}

/** The environment lacks something; the message names every variable that has to be set or changed. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * Reads DATABASE_URL, API_TOKEN and PORT (default 8080).
 *
 * @throws ConfigError
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const wrong: string[] = [];
  const databaseUrl = env['DATABASE_URL'] ?? '';
  const apiToken = env['API_TOKEN'] ?? '';
  const port = Number(env['PORT'] ?? '8080');
  if (!databaseUrl) wrong.push('DATABASE_URL is not set; it must be like postgresql://user:password@host:5432/planner');
  else if (!isPostgresUrl(databaseUrl)) wrong.push('DATABASE_URL is no postgresql:// address');
  // What the header Authorization can carry (RFC 6750); any other token could never be sent.
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(apiToken))
    wrong.push('API_TOKEN is not set, or has characters that no bearer token can have');
  if (!Number.isInteger(port) || port < 0 || port > 65_535) wrong.push('PORT must be a number from 0 to 65535');
  if (wrong.length > 0) throw new ConfigError(`The planner cannot start: ${wrong.join('; ')}.`);
  return { databaseUrl, apiToken, port };
}

function isPostgresUrl(text: string): boolean {
  return URL.canParse(text) && ['postgres:', 'postgresql:'].includes(new URL(text).protocol);
}
