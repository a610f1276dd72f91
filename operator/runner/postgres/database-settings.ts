import { identifier, literal } from './identifiers.ts';
import type { Session } from './session.ts';

/** What belongs to a database itself and not to what is in it: a clone or a dump of the content loses it. */
export interface DatabaseSettings {
  owner: string;
  /** datacl as text; null is the default. */
  acl: string | null;
  comment: string | null;
  connectionLimit: number;
  isTemplate: boolean;
  /** ALTER DATABASE … SET (role null) and ALTER ROLE … IN DATABASE … SET. */
  settings: { role: string | null; name: string; value: string }[];
  grants: { grantee: string | null; privilege: string; grantable: boolean }[];
}

/** Reads the settings of a database; from any database of the server. */
export async function readDatabaseSettings(session: Session, database: string): Promise<DatabaseSettings> {
  const row = await session.one(
    `SELECT pg_catalog.pg_get_userbyid(d.datdba)::text AS owner, d.datacl::text AS acl, d.datconnlimit, d.datistemplate,
       pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
     FROM pg_catalog.pg_database d WHERE d.datname = $1`,
    [database],
  );
  const settings = await session.query(
    `SELECT r.rolname::text AS role, split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value
     FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
     LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) WITH ORDINALITY AS u (c, place)
     WHERE d.datname = $1 ORDER BY 1 NULLS FIRST, u.place`,
    [database],
  );
  const grants = await session.query(
    `SELECT r.rolname::text AS grantee, a.privilege_type AS privilege, a.is_grantable AS grantable
     FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
     WHERE d.datname = $1 ORDER BY 1 NULLS FIRST, 2`,
    [database],
  );
  return {
    owner: row['owner']!,
    acl: row['acl'] ?? null,
    comment: row['comment'] ?? null,
    connectionLimit: Number(row['datconnlimit']),
    isTemplate: row['datistemplate'] === 't',
    settings: settings.map((setting) => ({
      role: setting['role'] ?? null,
      name: setting['name']!,
      value: setting['value']!,
    })),
    grants: grants.map((grant) => ({
      grantee: grant['grantee'] ?? null,
      privilege: grant['privilege']!,
      grantable: grant['grantable'] === 't',
    })),
  };
}

/** Settings whose value is a list of names: quoted as one text they would become one name. */
const LISTS = new Set([
  'search_path',
  'temp_tablespaces',
  'session_preload_libraries',
  'shared_preload_libraries',
  'local_preload_libraries',
  'unix_socket_directories',
]);

/** The statements that give a database these settings, except its connection limit, which is the fence's business. */
export function statementsFor(database: string, wanted: DatabaseSettings): string[] {
  const name = identifier(database);
  const statements = [`ALTER DATABASE ${name} IS_TEMPLATE ${wanted.isTemplate}`];
  if (wanted.comment !== null) statements.push(`COMMENT ON DATABASE ${name} IS ${literal(wanted.comment)}`);
  for (const setting of wanted.settings) {
    const subject =
      setting.role === null ? `ALTER DATABASE ${name}` : `ALTER ROLE ${identifier(setting.role)} IN DATABASE ${name}`;
    const parameter = setting.name.split('.').map(identifier).join('.');
    statements.push(`${subject} SET ${parameter} TO ${settingValue(setting)}`);
  }
  if (wanted.acl !== null) statements.push(...grantStatements(name, wanted));
  if (wanted.owner !== '') statements.push(`ALTER DATABASE ${name} OWNER TO ${identifier(wanted.owner)}`);
  return statements;
}

function settingValue(setting: { name: string; value: string }): string {
  if (!LISTS.has(setting.name.toLowerCase())) return literal(setting.value);
  return splitList(setting.value).map(literal).join(', ') || `''`;
}

/** Splits `"$user", public` into its names, as PostgreSQL stored them. */
export function splitList(value: string): string[] {
  const names = [...value.matchAll(/"((?:[^"]|"")*)"|([^\s,"]+)/g)];
  return names.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '');
}

function grantStatements(name: string, wanted: DatabaseSettings): string[] {
  const grantee = (role: string | null) => (role === null ? 'PUBLIC' : identifier(role));
  return [
    `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`,
    `REVOKE ALL ON DATABASE ${name} FROM ${identifier(wanted.owner)}`,
    ...wanted.grants.map(
      (grant) =>
        `GRANT ${grant.privilege} ON DATABASE ${name} TO ${grantee(grant.grantee)}${grant.grantable ? ' WITH GRANT OPTION' : ''}`,
    ),
  ];
}

/** How two databases' settings differ, for people; nothing when they are equal but for the connection limit. */
export function compareDatabaseSettings(before: DatabaseSettings, after: DatabaseSettings): string[] {
  const comparable = ({ owner, comment, isTemplate, settings, grants, acl }: DatabaseSettings) => ({
    ...{ owner, comment, isTemplate, settings },
    // The order of an access list's entries has no meaning.
    grants: acl === null ? null : grants.map((grant) => JSON.stringify(grant)).sort(),
  });
  const [old, now] = [comparable(before), comparable(after)] as Record<string, unknown>[];
  return Object.keys(old!)
    .filter((key) => JSON.stringify(old![key]) !== JSON.stringify(now![key]))
    .map((key) => `${key} was ${JSON.stringify(old![key])}, is ${JSON.stringify(now![key])}`);
}
