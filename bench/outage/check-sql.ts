/** A check as `migrations/checks/*.yaml` has it. */
export interface Check {
  name: string;
  query: string;
  expect?: { value: string } | { rows: number } | { min: string };
}

/**
 * The checks as a script for psql, as somebody without the operator would write it: it ends with an error at the first
 * check whose answer is not the expected one, and says which.
 */
export function checkScript(checks: readonly Check[]): string {
  const assertions = checks.map(
    (check) => `DO $check$ BEGIN ASSERT coalesce(${condition(check)}, false), ${quoted(check.name)}; END $check$;\n`,
  );
  return `SET search_path = pg_catalog, public;\n${assertions.join('')}`;
}

function condition({ query, expect = { value: '0' } }: Check): string {
  // The newline ends a comment in the query's last line.
  if ('rows' in expect) return `(SELECT count(*) FROM (${query}\n) AS answer) = ${expect.rows}`;
  if ('min' in expect) return `(${query}\n)::numeric >= ${quoted(expect.min)}::numeric`;
  return `(${query}\n)::text = ${quoted(expect.value)}`;
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
