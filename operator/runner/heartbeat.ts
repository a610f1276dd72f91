import type { Session } from './postgres/session.ts';

const BEAT_EVERY_MS = 5000;
const DOUBT_AFTER_MS = 15_000;
/** How long it may take to learn from another session what the silent one does. */
const ASK_WITHIN_MS = 5000;

export interface Listening {
  /** Asks somebody else whether the server is at work on what this session was last told. */
  isAtWork: () => Promise<boolean>;
  onSilence: () => void;
}

/**
 * Asks the session that holds the lock for a sign of life. A network that swallows packets would otherwise go unnoticed
 * for minutes, in which somebody else may have been given the lock. No answer for 20 s is silence, unless the server is
 * proved to be at work on a statement that came before: one that waits for a lock, or DROP DATABASE on a busy disk, must
 * come to its own end. (A network that fails after the server was given the statement is found out by TCP's keepalive.)
 *
 * @returns what stops it
 */
export function keepAlive(session: Session, { isAtWork, onSilence }: Listening): () => void {
  let unanswered: NodeJS.Timeout | undefined;
  const answered = () => {
    clearTimeout(unanswered);
    unanswered = undefined;
  };
  const wait = () => (unanswered = setTimeout(() => void doubt(), DOUBT_AFTER_MS));
  const doubt = async () => {
    const asked = unanswered;
    const proved = await within(ASK_WITHIN_MS, isAtWork());
    if (unanswered !== asked) return;
    if (proved) wait();
    else onSilence();
  };
  const beat = setInterval(() => {
    if (unanswered) return;
    wait();
    // What is refused is an answer, too; whoever lost the connection hears of it from the session itself.
    session.query('SELECT 1').then(answered, answered);
  }, BEAT_EVERY_MS);
  return () => {
    clearInterval(beat);
    answered();
  };
}

/** Whether the answer is yes, and comes in time. */
async function within(milliseconds: number, asked: Promise<boolean>): Promise<boolean> {
  let late: NodeJS.Timeout | undefined;
  const tooLate = new Promise<boolean>((resolve) => (late = setTimeout(() => resolve(false), milliseconds)));
  try {
    return await Promise.race([asked.catch(() => false), tooLate]);
  } finally {
    clearTimeout(late);
  }
}

/** Whether the server carries out a statement of that session, and does not just wait for the client. */
export async function isAtWork({ pid }: Session, open: () => Promise<Session>): Promise<boolean> {
  const opening = open();
  const close = () => void opening.then((other) => other.destroy()).catch(() => undefined);
  const late = setTimeout(close, ASK_WITHIN_MS);
  try {
    const rows = await (
      await opening
    ).query(
      `SELECT 1 FROM pg_catalog.pg_stat_activity WHERE pid OPERATOR(pg_catalog.=) $1::int4 AND state = 'active'
         AND wait_event_type IS DISTINCT FROM 'Client'`,
      [pid],
    );
    return rows.length > 0;
  } finally {
    clearTimeout(late);
    close();
  }
}
