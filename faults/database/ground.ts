import type { Progress } from '../../e2e/cluster/progress.ts';
import { startPostgres, type Postgres, type PostgresOptions } from '../../e2e/cluster/postgres.ts';
import { makeThrowawayFolder, removeThrowawayFolder } from '../../e2e/cluster/throwaway.ts';
import type { Gate } from '../pool.ts';
import { withQuickAnswers } from './ask.ts';
import type { Place } from './faults.ts';

/** What all runs of a sweep share. */
export interface Ground {
  servers: Servers;
  folder: string;
  /** Those that are under way. */
  gate: Gate;
  signal: AbortSignal;
  /** Told of what goes wrong beside the runs. */
  complain: (sentence: string) => void;
}

export interface Lease {
  server: Postgres;
  giveBack: () => Promise<void>;
}

/** A fresh server has 40 MB, a database 8, a piece of the WAL 16. */
const SMALL_DISK_MEBIBYTES = 160;
const SETTINGS: Record<Place, PostgresOptions> = {
  Shared: { settings: { max_connections: '400' } },
  Own: {},
  SmallDisk: { diskMebibytes: SMALL_DISK_MEBIBYTES, settings: { max_wal_size: '48MB', min_wal_size: '32MB' } },
};

/** Lends servers: one to everybody, others to one run at a time. */
export class Servers {
  readonly #free: Record<Place, Postgres[]> = { Shared: [], Own: [], SmallDisk: [] };
  readonly #all: Postgres[] = [];
  #shared: Promise<Postgres> | undefined;

  async take(place: Place): Promise<Lease> {
    if (place === 'Shared') {
      this.#shared ??= this.#start(place);
      return { server: await this.#shared, giveBack: () => Promise.resolve() };
    }
    const server = this.#free[place].pop() ?? (await this.#start(place));
    // One that does not answer would spoil the next run, too.
    const giveBack = async () => {
      const answers = await server.psql('SELECT 1').catch(() => undefined);
      if (answers === undefined) await server.restart();
      this.#free[place].push(server);
    };
    return { server, giveBack };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((server) => server.stop()));
  }

  async #start(place: Place): Promise<Postgres> {
    const server = withQuickAnswers(await startPostgres(SETTINGS[place]));
    this.#all.push(server);
    return server;
  }
}

export interface GroundOptions {
  gate: Gate;
  signal: AbortSignal;
  progress: Progress;
}

/** Lends servers and a folder to `work`, and removes them afterwards. */
export async function withGround<T>(options: GroundOptions, work: (ground: Ground) => Promise<T>): Promise<T> {
  const servers = new Servers();
  const folder = await makeThrowawayFolder('faults');
  try {
    return await work({ servers, folder, complain: options.progress, ...options });
  } finally {
    await servers.stop();
    await removeThrowawayFolder(folder);
  }
}
