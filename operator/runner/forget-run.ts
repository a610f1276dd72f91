import type { Logger } from '../kube/logger.ts';
import { messageOf } from '../kube/message-of.ts';
import { applicationName, type RunIdentity } from './core/names.ts';
import { removeHolderOfRun } from './postgres/holder.ts';
import { judgeTable, readTableFacts } from './postgres/holder-table.ts';
import { Session } from './postgres/session.ts';
import { parseDatabaseUrl } from './postgres/url.ts';

export interface ForgetOptions {
  databaseUrl: string | undefined;
  maintenanceDatabase: string;
  run: RunIdentity;
  epoch: number;
  logger: Logger;
}

/**
 * Takes back what a run that has ended without touching anything told others of itself. Tried once: it may have ended
 * just because the database cannot be reached, and what stays there keeps nobody out.
 */
export async function forgetRun({
  databaseUrl,
  maintenanceDatabase,
  run,
  epoch,
  logger,
}: ForgetOptions): Promise<void> {
  let session: Session | undefined;
  try {
    const address = parseDatabaseUrl(databaseUrl);
    session = await Session.open(address, maintenanceDatabase, applicationName(run, epoch));
    if (judgeTable(await readTableFacts(session)) !== 'use') return;
    await removeHolderOfRun(session, { database: address.database, runUid: run.uid, epoch });
  } catch (error) {
    logger.info('What others were told of this run could not be taken back.', { because: messageOf(error) });
  } finally {
    await session?.close();
  }
}
