/** A text as a sentence of its own among others. */
export function sentence(text: string | undefined): string {
  if (!text) return '';
  return /[.!?]$/.test(text.trim()) ? text.trim() : `${text.trim()}.`;
}
