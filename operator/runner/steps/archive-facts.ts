import type { Session } from '../postgres/session.ts';

/** Objects below this number are made by initdb; an archive does not have them. */
const FIRST_OF_USERS = 16384;

/** Each with its SQL: what of the database only a superuser may make, with a word for what it is. */
const FOR_SUPERUSERS = [
  // A version of PostgreSQL before 13 has no word for "trusted"; an extension that is not there any more cannot be made.
  `SELECT pg_catalog.format('extension %I', e.extname) AS name FROM pg_catalog.pg_extension e
   LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = e.extname
   LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version
   WHERE e.oid >= ${FIRST_OF_USERS} AND (v.name IS NULL OR v.superuser)
     AND pg_catalog.to_jsonb(v)->>'trusted' IS DISTINCT FROM 'true'`,
  `SELECT pg_catalog.format('publication %I FOR ALL TABLES', pubname) FROM pg_catalog.pg_publication WHERE puballtables`,
  `SELECT pg_catalog.format('event trigger %I', t.evtname) FROM pg_catalog.pg_event_trigger t
   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
     WHERE d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')`,
];

/**
 * What pg_shdepend says of owners, and what it does not: the first superuser is "pinned", so that nothing refers to him
 * there. What belongs to an extension comes back with it.
 */
const OWNED_BY_OTHERS = `
SELECT pg_catalog.pg_describe_object(o.classid, o.objid, 0) AS object, pg_catalog.pg_get_userbyid(o.owner)::text AS owner
FROM (
  SELECT s.classid, s.objid, s.refobjid AS owner FROM pg_catalog.pg_shdepend s
  JOIN pg_catalog.pg_database b ON b.oid = s.dbid
  WHERE b.datname = pg_catalog.current_database() AND s.deptype = 'o' AND s.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass
  UNION SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid, relowner FROM pg_catalog.pg_class
    WHERE oid >= ${FIRST_OF_USERS} AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND relpersistence <> 't'
  UNION SELECT 'pg_catalog.pg_namespace'::pg_catalog.regclass, oid, nspowner FROM pg_catalog.pg_namespace
    WHERE oid >= ${FIRST_OF_USERS} AND nspname NOT LIKE 'pg\\_%'
  UNION SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, proowner FROM pg_catalog.pg_proc WHERE oid >= ${FIRST_OF_USERS}
  UNION SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typowner FROM pg_catalog.pg_type
    WHERE oid >= ${FIRST_OF_USERS} AND typtype IN ('d', 'e', 'r')
  UNION SELECT 'pg_catalog.pg_publication'::pg_catalog.regclass, oid, pubowner FROM pg_catalog.pg_publication
  UNION SELECT 'pg_catalog.pg_foreign_server'::pg_catalog.regclass, oid, srvowner FROM pg_catalog.pg_foreign_server
  UNION SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, oid, lomowner FROM pg_catalog.pg_largeobject_metadata
) o (classid, objid, owner)
WHERE NOT pg_catalog.pg_has_role(CURRENT_USER, o.owner, 'MEMBER')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = o.classid AND d.objid = o.objid AND d.deptype IN ('e', 'i'))
ORDER BY 2, 1`;

/**
 * What of the database the session's role could not make anew from an archive, because only a superuser or the member of
 * another role may. Nothing for a superuser.
 */
export async function readUnrestorable(session: Session, role: { superuser: boolean }): Promise<string[]> {
  if (role.superuser) return [];
  const objects: string[] = [];
  for (const question of FOR_SUPERUSERS) {
    const rows = await session.query(question);
    objects.push(...rows.map((row) => `${Object.values(row)[0]}, which only a superuser may make`));
  }
  const owned = await session.query(OWNED_BY_OTHERS);
  return [...objects, ...owned.map(({ object, owner }) => `${object} of role "${owner}"`)];
}
