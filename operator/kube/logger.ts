import winston from 'winston';
import { messageOf } from './message-of.ts';
import { redact } from './redact.ts';

export { redact } from './redact.ts';

/** What a log line may carry beside its message. Errors are written as their message (and stack at level debug). */
export type LogFields = Record<string, unknown>;

/** The logger that the whole operator uses; `child` adds fields to every line. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

/** Settings of a logger. */
export interface LoggerOptions {
  /** Least level that is written; default LOG_LEVEL or info. */
  level?: string;
  /** Default: `human` on a terminal, else `json`. */
  format?: 'json' | 'human';
  /** Where lines go; default standard error. */
  stream?: NodeJS.WritableStream & { isTTY?: boolean };
}

/**
 * Makes a logger: one JSON object a line (`time`, `level`, `message`, fields), or coloured text for a person. Every
 * string in a line, however deep, goes through {@link redact}.
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { stream = process.stderr, level = process.env.LOG_LEVEL ?? 'info' } = options;
  const format = options.format ?? (stream.isTTY === true ? 'human' : 'json');
  const logger = winston.createLogger({
    level,
    format: winston.format.printf((info) => (format === 'json' ? jsonLine(info, level) : humanLine(info, level))),
    transports: [new winston.transports.Stream({ stream })],
  });
  return wrap(logger, {});
}

/** A logger that says nothing, for tests. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};

// winston's own child loggers let a line's fields lose against the child's, and its two-argument calls append
// `fields.message` to the message; both would garble what is logged with an error, so fields are merged here.
function wrap(logger: winston.Logger, bound: LogFields): Logger {
  const log = (level: string) => (message: string, fields?: LogFields) => {
    logger.log({ level, message, fields: { ...bound, ...fields } });
  };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (fields) => wrap(logger, { ...bound, ...fields }),
  };
}

function jsonLine(info: winston.Logform.TransformableInfo, level: string): string {
  const head = { time: new Date().toISOString(), level: info.level, message: redact(String(info.message)) };
  return JSON.stringify({ ...(clean(info.fields, level === 'debug') as object), ...head });
}

const colours: Partial<Record<string, string>> = { error: '\x1b[31m', warn: '\x1b[33m', debug: '\x1b[2m' };

function humanLine(info: winston.Logform.TransformableInfo, level: string): string {
  const fields = Object.entries(clean(info.fields, level === 'debug') as LogFields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const colour = colours[info.level] ?? '';
  const time = new Date().toISOString().slice(11, 23);
  return `${time} ${colour}${info.level.padEnd(5)}\x1b[0m ${redact(String(info.message))}\x1b[2m${fields.join('')}\x1b[0m`;
}

/** Deep enough for every object we log; what is deeper, or refers to itself, is cut off instead of failing. */
const maxDepth = 6;

function clean(value: unknown, withStack: boolean, depth = 0): unknown {
  if (typeof value === 'string') return redact(value);
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Error) return withStack ? redact(value.stack ?? value.message) : messageOf(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return value.toISOString();
  if (depth >= maxDepth) return '…';
  if (Array.isArray(value)) return value.map((item) => clean(item, withStack, depth + 1));
  const entries = Object.entries(value).map(([name, item]) => [name, clean(item, withStack, depth + 1)]);
  return Object.fromEntries(entries) as unknown;
}
