import type { Check } from '../../api/plan.ts';
import { excerpt } from './excerpt.ts';

/** What a check's query answered: rows as text, or the SQLSTATE that it failed with. */
export type Answer =
  { rows: number; columns: string[]; first?: (string | null)[] } | { error: string; message: string };

const FIRST_ROW_MAX = 300;

function shown(value: string | null | undefined): string {
  return value === null || value === undefined ? 'NULL' : `"${value}"`;
}

function firstRow(answer: { columns: string[]; first?: (string | null)[] }): string {
  const text = (answer.first ?? []).map((value, index) => `${answer.columns[index]} = ${shown(value)}`).join(', ');
  return excerpt(text, FIRST_ROW_MAX);
}

/**
 * Compares an answer with what was expected.
 *
 * @returns undefined when it is as expected, else what was expected and what came, with the first offending row
 */
export function judgeCheck(check: Check, answer: Answer): string | undefined {
  const { expect } = check;
  if ('error' in answer) return answer.error === expect.error ? undefined : `failed: ${answer.message}`;
  if (expect.error !== undefined) return `expected SQLSTATE ${expect.error}, but the query succeeded`;
  if (expect.rows !== undefined) return judgeRows(expect.rows, answer);
  return judgeValue(expect, answer);
}

function judgeRows(expected: number, answer: { rows: number; columns: string[]; first?: (string | null)[] }) {
  if (answer.rows === expected) return undefined;
  const example = answer.rows > 0 ? `; the first: ${firstRow(answer)}` : '';
  return `expected ${expected} rows, got ${answer.rows}${example}`;
}

function judgeValue(expect: Check['expect'], answer: { rows: number; first?: (string | null)[] }): string | undefined {
  const wanted = expect.min !== undefined ? `at least ${expect.min}` : shown(expect.value ?? '0');
  if (answer.rows !== 1) return `expected ${wanted} in one row, got ${answer.rows} rows`;
  const value = answer.first?.[0];
  if (expect.min === undefined)
    return value === (expect.value ?? '0') ? undefined : `expected ${wanted}, got ${shown(value)}`;
  if (value === null || value === undefined || !isDecimal(value)) return `expected ${wanted}, got ${shown(value)}`;
  return compareDecimals(value, expect.min) >= 0 ? undefined : `expected ${wanted}, got ${shown(value)}`;
}

function isDecimal(text: string): boolean {
  return /^-?[0-9]+(\.[0-9]+)?$/.test(text);
}

/** Exact comparison of two decimals of any length: numeric does not fit into a double. */
export function compareDecimals(left: string, right: string): number {
  const [a, b] = [parts(left), parts(right)];
  const digits = Math.max(a.fraction.length, b.fraction.length);
  const scaled = ({ negative, whole, fraction }: ReturnType<typeof parts>) => {
    const value = BigInt(whole + fraction.padEnd(digits, '0'));
    return negative ? -value : value;
  };
  const [x, y] = [scaled(a), scaled(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function parts(text: string): { negative: boolean; whole: string; fraction: string } {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  return { negative: text.startsWith('-'), whole, fraction };
}
