import type { Session } from './postgres/session.ts';

const BEAT_EVERY_MS = 5000;
/** A statement of the runner's own on this session takes milliseconds, a swap less than a second. */
const ANSWER_WITHIN_MS = 20_000;

/**
 * Asks the session that holds the lock for a sign of life. A network that swallows packets would otherwise go unnoticed
 * for minutes, in which somebody else may have been given the lock.
 *
 * @returns what stops it
 */
export function keepAlive(session: Session, onSilence: () => void): () => void {
  let deadline: NodeJS.Timeout | undefined;
  const answered = () => {
    clearTimeout(deadline);
    deadline = undefined;
  };
  const beat = setInterval(() => {
    if (deadline) return;
    deadline = setTimeout(onSilence, ANSWER_WITHIN_MS);
    // What is refused is an answer, too; whoever lost the connection hears of it from the session itself.
    session.query('SELECT 1').then(answered, answered);
  }, BEAT_EVERY_MS);
  return () => {
    clearInterval(beat);
    clearTimeout(deadline);
  };
}
