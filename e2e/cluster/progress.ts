/** Receives one line, in the present participle and without a full stop, whenever something that takes time begins. */
export type Progress = (line: string) => void;

/** For callers that have nobody to tell. */
export const silent: Progress = () => undefined;
