import type { Migration, Violation } from './core/migrations.ts';
import { messageOf } from '../kube/message-of.ts';

/** One statement of a script, and what kind it is: the name of its node in PostgreSQL's parse tree. */
export interface Statement {
  text: string;
  kind: string;
  /** It has a place for a value: $1. */
  hasParameter: boolean;
  /** Of a TransactionStmt: which one, TRANS_STMT_COMMIT say. */
  control?: string;
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
      hasParameter: script.includes('$') && JSON.stringify(stmt).includes('"ParamRef":'),
      ...(stmt && 'TransactionStmt' in stmt ? { control: stmt.TransactionStmt.kind ?? '' } : {}),
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
    if (!QUESTIONS.has(statements[0]!.kind)) return 'is not a SELECT';
    return statements[0]!.hasParameter ? 'has a parameter like $1, for which there is no value' : undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Without one of these words no statement is transaction control: most statements of a module need no parser. */
const CONTROL = /\b(abort|begin|commit|end|prepare|rollback|start)\b/i;
const SAVEPOINTS = new Set(['TRANS_STMT_SAVEPOINT', 'TRANS_STMT_RELEASE', 'TRANS_STMT_ROLLBACK_TO']);

/**
 * @returns undefined when the text leaves the transaction that it runs in open, else what is wrong with it; what the
 * parser does not understand counts as wrong
 */
export async function judgeInTransaction(text: string): Promise<string | undefined> {
  if (!CONTROL.test(text)) return undefined;
  try {
    const statements = await statementsOf(text);
    const ending = statements.find(({ control }) => control !== undefined && !SAVEPOINTS.has(control));
    return ending && wouldEnd(ending);
  } catch (error) {
    return messageOf(error);
  }
}

function wouldEnd({ text }: Statement): string {
  return `"${text}" would end the transaction that the runner wraps around the migration; remove it`;
}

/** Parses the scripts of a migration. Transaction control would end the transaction that makes a failure undoable. */
export async function judgeMigration(migration: Migration): Promise<Violation[]> {
  if (migration.kind === 'js') {
    // What it says is known only when it runs; the parser is in memory by then.
    await import('./parser.ts');
    return [];
  }
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
      ? wouldEnd(control)
      : `"${control.text}" is not allowed: statements of a no-transaction migration are run one by one`;
  } catch (error) {
    return messageOf(error);
  }
}
