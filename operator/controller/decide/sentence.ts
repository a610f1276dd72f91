/** A text as a sentence of its own among others. */
export function sentence(text: string | undefined): string {
  if (!text) return '';
  return /[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`;
}

/** Several sentences one after the other; what is undefined is left out. */
export function sentences(...texts: (string | undefined)[]): string {
  return texts.flatMap((text) => (text === undefined ? [] : [sentence(text)])).join(' ');
}
