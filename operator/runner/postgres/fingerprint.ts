import { createHash } from 'node:crypto';
import { excerpt } from '../core/excerpt.ts';
import type { Session } from './session.ts';

/**
 * One line an object: what it is, its name, its definition. Left out: what belongs to an extension (its version stands
 * for it), to PostgreSQL itself, or to the ledger; the order of columns and the numbers of objects, which no query of
 * an application can depend on except SELECT *; and the position of sequences.
 */
const OURS = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND n.nspname <> 'phasemigration'`;

function notOfExtension(catalog: string, oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_catalog.${catalog}'::regclass AND d.objid = ${oid} AND d.deptype = 'e')`;
}

/** The order of an access list's entries has no meaning, and a restore does not keep it. */
function acl(list: string): string {
  return `(SELECT string_agg(entry::text, ',' ORDER BY entry::text) FROM unnest(${list}) entry)`;
}

const ITEMS = `
SELECT 'schema' AS kind, quote_ident(n.nspname) AS name, concat_ws(' | ', pg_get_userbyid(n.nspowner), ${acl('n.nspacl')}) AS definition
FROM pg_namespace n WHERE ${OURS} AND ${notOfExtension('pg_namespace', 'n.oid')}
UNION ALL
SELECT 'extension', quote_ident(e.extname), e.extversion FROM pg_extension e
UNION ALL
SELECT 'relation', c.oid::regclass::text, concat_ws(' | ', c.relkind, c.relpersistence, pg_get_userbyid(c.relowner), ${acl('c.relacl')},
  c.reloptions::text, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, am.amname, t.spcname,
  pg_get_expr(c.relpartbound, c.oid), CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
  CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END, obj_description(c.oid, 'pg_class'),
  (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_am am ON am.oid = c.relam LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
WHERE ${OURS} AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'S') AND ${notOfExtension('pg_class', 'c.oid')}
UNION ALL
SELECT 'column', c.oid::regclass::text || '.' || quote_ident(a.attname), concat_ws(' | ', format_type(a.atttypid, a.atttypmod),
  CASE WHEN a.attnotnull THEN 'NOT NULL' END, pg_get_expr(ad.adbin, ad.adrelid), nullif(a.attidentity, ''), nullif(a.attgenerated::text, ''),
  (SELECT co.collname FROM pg_collation co JOIN pg_type ty ON ty.oid = a.atttypid WHERE co.oid = a.attcollation AND a.attcollation <> ty.typcollation),
  a.attstorage, ${acl('a.attacl')}, col_description(c.oid, a.attnum))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef ad ON ad.adrelid = c.oid AND ad.adnum = a.attnum
WHERE ${OURS} AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'c') AND ${notOfExtension('pg_class', 'c.oid')}
UNION ALL
SELECT 'constraint', coalesce(nullif(co.conrelid, 0)::regclass::text, format_type(co.contypid, NULL)) || '.' || quote_ident(co.conname),
  concat_ws(' | ', pg_get_constraintdef(co.oid), co.convalidated, obj_description(co.oid, 'pg_constraint'))
FROM pg_constraint co JOIN pg_namespace n ON n.oid = co.connamespace
WHERE ${OURS} AND co.contype <> 'n' AND (co.conrelid = 0 OR ${notOfExtension('pg_class', 'co.conrelid')})
UNION ALL
SELECT 'index', i.indexrelid::regclass::text, concat_ws(' | ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisclustered, i.indisreplident,
  obj_description(i.indexrelid, 'pg_class'))
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE ${OURS} AND ${notOfExtension('pg_class', 'i.indrelid')}
UNION ALL
SELECT 'sequence', s.seqrelid::regclass::text, concat_ws(' | ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
  (SELECT d.refobjid::regclass::text || '.' || a.attname FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
   WHERE d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.deptype IN ('a', 'i') LIMIT 1))
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE ${OURS} AND ${notOfExtension('pg_class', 'c.oid')}
UNION ALL
SELECT 'trigger', t.tgrelid::regclass::text || '.' || quote_ident(t.tgname), concat_ws(' | ', pg_get_triggerdef(t.oid), t.tgenabled)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE ${OURS} AND NOT t.tgisinternal AND ${notOfExtension('pg_trigger', 't.oid')}
UNION ALL
SELECT 'rule', r.ev_class::regclass::text || '.' || quote_ident(r.rulename), concat_ws(' | ', pg_get_ruledef(r.oid), r.ev_enabled)
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE ${OURS} AND r.rulename <> '_RETURN' AND ${notOfExtension('pg_class', 'c.oid')}
UNION ALL
SELECT 'policy', p.polrelid::regclass::text || '.' || quote_ident(p.polname), concat_ws(' | ', p.polcmd, p.polpermissive,
  (SELECT string_agg(CASE WHEN r = 0 THEN 'public' ELSE pg_get_userbyid(r) END, ',' ORDER BY 1) FROM unnest(p.polroles) r), pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}
UNION ALL
SELECT 'function', p.oid::regprocedure::text, concat_ws(' | ', pg_get_userbyid(p.proowner), ${acl('p.proacl')},
  CASE WHEN p.prokind = 'a' THEN (SELECT concat_ws(',', ag.aggtransfn, ag.aggfinalfn, ag.agginitval) FROM pg_aggregate ag WHERE ag.aggfnoid = p.oid) ELSE pg_get_functiondef(p.oid) END,
  obj_description(p.oid, 'pg_proc'))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${OURS} AND ${notOfExtension('pg_proc', 'p.oid')}
UNION ALL
SELECT 'type', format_type(t.oid, NULL), concat_ws(' | ', t.typtype, pg_get_userbyid(t.typowner), ${acl('t.typacl')},
  CASE WHEN t.typtype = 'd' THEN concat_ws(' ', format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault) END,
  (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
  (SELECT format_type(rg.rngsubtype, NULL) FROM pg_range rg WHERE rg.rngtypid = t.oid), obj_description(t.oid, 'pg_type'))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE ${OURS} AND t.typtype IN ('e', 'd', 'r', 'c') AND (t.typrelid = 0 OR c.relkind = 'c') AND ${notOfExtension('pg_type', 't.oid')}
UNION ALL
SELECT 'statistics', quote_ident(n.nspname) || '.' || quote_ident(s.stxname), pg_get_statisticsobjdef(s.oid)
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE ${OURS}
UNION ALL
SELECT 'operator', o.oid::regoperator::text, concat_ws(' | ', o.oprcode, o.oprcom::regoperator, o.oprnegate::regoperator)
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE ${OURS} AND ${notOfExtension('pg_operator', 'o.oid')}
UNION ALL
SELECT 'event trigger', quote_ident(e.evtname), concat_ws(' | ', e.evtevent, e.evtfoid::regproc, e.evtenabled, e.evttags::text)
FROM pg_event_trigger e WHERE ${notOfExtension('pg_event_trigger', 'e.oid')}
UNION ALL
SELECT 'publication', quote_ident(p.pubname), concat_ws(' | ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
  (SELECT string_agg(r.prrelid::regclass::text, ',' ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid))
FROM pg_publication p
UNION ALL
SELECT 'default privileges', concat_ws('.', pg_get_userbyid(a.defaclrole), n.nspname, a.defaclobjtype), ${acl('a.defaclacl')}
FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace`;

/** A schema as a set of objects. */
export interface Fingerprint {
  /** SHA-256 over all objects, whatever their order. */
  sha256: string;
  /** Definition by `kind name`. */
  objects: Map<string, string>;
}

/** Reads the schema; inside a transaction as this transaction sees it. */
export async function readFingerprint(session: Session): Promise<Fingerprint> {
  // An empty search_path makes every name come out qualified, whatever the session's own path is.
  const [{ path } = {}] = await session.query(`SELECT pg_catalog.current_setting('search_path') AS path`);
  await session.query(`SELECT pg_catalog.set_config('search_path', 'pg_catalog', false)`);
  let rows: { kind?: string | null; name?: string | null; definition?: string | null }[];
  try {
    rows = await session.query(ITEMS);
  } finally {
    await session.query(`SELECT pg_catalog.set_config('search_path', $1, false)`, [path]);
  }
  return fingerprintOf(rows.map((row) => [`${row.kind} ${row.name}`, row.definition ?? '']));
}

export function fingerprintOf(objects: Iterable<[string, string]>): Fingerprint {
  const map = new Map(objects);
  const lines = [...map].map(([name, definition]) => JSON.stringify([name, definition])).sort();
  return { sha256: createHash('sha256').update(lines.join('\n')).digest('hex'), objects: map };
}

const LONGEST_DEFINITION = 160;

/** The objects that differ, each with what became of it. */
export function compareFingerprints(before: Fingerprint, after: Fingerprint): string[] {
  const names = [...new Set([...before.objects.keys(), ...after.objects.keys()])].sort();
  return names
    .filter((name) => before.objects.get(name) !== after.objects.get(name))
    .map((name) => {
      const [old, now] = [before.objects.get(name), after.objects.get(name)];
      if (old === undefined) return `${name} is new`;
      if (now === undefined) return `${name} is gone`;
      return `${name} was ${excerpt(old, LONGEST_DEFINITION)}, is ${excerpt(now, LONGEST_DEFINITION)}`;
    });
}

/** Bytes of every table and index of users, by its number: equal in a clone that is whole. */
export async function relationSizes(session: Session): Promise<Map<string, string>> {
  const rows = await session.query(
    `SELECT c.oid::text AS oid, pg_catalog.pg_relation_size(c.oid)::text AS size
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'i', 'm', 'S', 't') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relpersistence <> 't'`,
  );
  return new Map(rows.map((row) => [row['oid']!, row['size']!]));
}
