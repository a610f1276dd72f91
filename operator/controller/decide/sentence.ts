/** A text as a sentence of its own among others. */
export function sentence(text: string | undefined): string {
  if (!text) return '';
  return /[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`;
}

/** Several sentences one after the other; what is undefined is left out. */
export function sentences(...texts: (string | undefined)[]): string {
  return texts.flatMap((text) => (text === undefined ? [] : [sentence(text)])).join(' ');
}

/** Of a step, a failure, a decision: as the schema has it. */
const LONGEST_MESSAGE = 8192;

/** A longer message would have the API server refuse the whole status, again and again. */
export function cut(message: string, longest = LONGEST_MESSAGE): string {
  return message.length <= longest ? message : `${message.slice(0, longest - 1)}…`;
}
