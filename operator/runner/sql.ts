import type { Migration, Violation } from './core/migrations.ts';
import { messageOf } from './core/failure.ts';

/** One statement of a script, and what kind it is: the name of its node in PostgreSQL's parse tree. */
export interface Statement {
  text: string;
  kind: string;
}

/**
 * Splits a script with PostgreSQL's own parser, without running it.
 *
 * @throws Error `line N: syntax error at or near …`
 */
export async function statementsOf(script: string): Promise<Statement[]> {
  // Two megabytes of WebAssembly that `gate` and `status` never need.
  const { hasSqlDetails, parse } = await import('./parser.ts');
  try {
    const bytes = Buffer.from(script);
    const { stmts = [] } = await parse(script);
    return stmts.map(({ stmt, stmt_location: start = 0, stmt_len: length }) => ({
      text: bytes
        .subarray(start, length ? start + length : undefined)
        .toString()
        .trim(),
      kind: Object.keys(stmt ?? {})[0] ?? 'Empty',
    }));
  } catch (error) {
    const position = hasSqlDetails(error) ? error.sqlDetails?.cursorPosition : undefined;
    if (position === undefined) throw error;
    const line = [...script].slice(0, position).filter((character) => character === '\n').length + 1;
    throw new Error(`line ${line}: ${messageOf(error)}`, { cause: error });
  }
}

/** What a question may be: anything that only reads. */
const QUESTIONS = new Set(['SelectStmt', 'VariableShowStmt', 'ExplainStmt']);

/** @returns undefined when the text is one reading query, else what is wrong with it */
export async function judgeQuestion(query: string): Promise<string | undefined> {
  try {
    const statements = await statementsOf(query);
    if (statements.length !== 1) return `has ${statements.length} statements instead of one`;
    return QUESTIONS.has(statements[0]!.kind) ? undefined : 'is not a SELECT';
  } catch (error) {
    return messageOf(error);
  }
}

/** Parses the scripts of a migration. Transaction control would end the transaction that makes a failure undoable. */
export async function judgeMigration(migration: Migration): Promise<Violation[]> {
  if (migration.kind === 'js') return [];
  const violations: Violation[] = [];
  for (const [direction, script] of Object.entries({ up: migration.up, down: migration.down })) {
    if (script === undefined) continue;
    const wrong = await judgeScript(script, migration.transactional);
    if (wrong) violations.push({ reason: 'InvalidMigration', message: `${migration.name}.${direction}.sql: ${wrong}` });
  }
  return violations;
}

async function judgeScript(script: string, transactional: boolean): Promise<string | undefined> {
  try {
    const statements = await statementsOf(script);
    const control = statements.find(({ kind }) => kind === 'TransactionStmt');
    if (!control) return undefined;
    return transactional
      ? `"${control.text}" would end the transaction that the runner wraps around the migration; remove it`
      : `"${control.text}" is not allowed: statements of a no-transaction migration are run one by one`;
  } catch (error) {
    return messageOf(error);
  }
}
