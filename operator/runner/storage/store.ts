/** A place that keeps backups: each run has a folder of its own there. */
export interface BackupStore {
  /** The place in words, for people: `the backup volume`, `s3://bucket/prefix`. */
  readonly place: string;
  /** Names of the folders of runs. */
  folders(): Promise<string[]>;
  /** Sizes in bytes of all files in the folder of a run, by their path in it. */
  files(folder: string): Promise<Map<string, number>>;
  /** A file's text; undefined where there is none. */
  read(folder: string, file: string): Promise<string | undefined>;
  write(folder: string, file: string, text: string): Promise<void>;
  /** Removes a file, if it is there. */
  removeFile(folder: string, file: string): Promise<void>;
  /** Removes a folder so that, whatever happens meanwhile, no half of it is ever taken for a backup. */
  removeFolder(folder: string): Promise<void>;
}
