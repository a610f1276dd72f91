import { currentName } from '../establish.ts';
import { identifier, literal } from '../postgres/identifiers.ts';
import type { Row } from '../postgres/session.ts';
import type { Work } from '../work.ts';

/** Since version 15 a database may take its collations from ICU, since 17 from PostgreSQL itself. */
function localeProvider({ provider, locale }: Row): string {
  if (provider === 'i') return ` LOCALE_PROVIDER icu ICU_LOCALE ${literal(locale ?? '')}`;
  return provider === 'b' ? ` LOCALE_PROVIDER builtin BUILTIN_LOCALE ${literal(locale ?? '')}` : '';
}

/** Makes an empty database like the target. */
export async function createLike(work: Work, database: string): Promise<void> {
  await work.maintenance.query(await creationLike(work, database));
}

/** The statement for a database with the target's encoding, locale and tablespace, which cannot be changed afterwards. */
export async function creationLike(work: Work, database: string): Promise<string> {
  const { maintenance } = work;
  const row = await maintenance.one(
    `SELECT pg_catalog.pg_encoding_to_char(d.encoding) AS encoding, d.datcollate, d.datctype,
       to_jsonb(d) ->> 'datlocprovider' AS provider, coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
       CASE WHEN d.dattablespace = t.dattablespace THEN NULL ELSE s.spcname END AS tablespace
     FROM pg_catalog.pg_database d JOIN pg_catalog.pg_database t ON t.datname = 'template0'
     JOIN pg_catalog.pg_tablespace s ON s.oid = d.dattablespace WHERE d.datname = $1`,
    [await currentName(work)],
  );
  const locale = `LC_COLLATE ${literal(row['datcollate']!)} LC_CTYPE ${literal(row['datctype']!)}${localeProvider(row)}`;
  // Naming the default tablespace needs a privilege that leaving it out does not.
  const tablespace = row['tablespace'] ? ` TABLESPACE ${identifier(row['tablespace'])}` : '';
  return `CREATE DATABASE ${identifier(database)} TEMPLATE template0 ENCODING ${literal(row['encoding']!)} ${locale}${tablespace}`;
}
