import type { ClientRole } from '../core/client-roles.ts';
import type { Session } from '../postgres/session.ts';

/** What the server says of the roles that are to be fenced off, in the order in which they are named. */
export async function readClientRoles(session: Session, names: string[]): Promise<ClientRole[]> {
  const rows = await session.query(
    `SELECT r.rolname::text AS name, r.rolcanlogin, r.rolsuper,
       pg_catalog.pg_has_role(CURRENT_USER, r.oid, 'USAGE') AS member,
       EXISTS (SELECT FROM pg_catalog.pg_auth_members m
         WHERE m.roleid = r.oid AND m.admin_option AND pg_catalog.pg_has_role(CURRENT_USER, m.member, 'USAGE')) AS admin
     FROM pg_catalog.pg_roles r WHERE r.rolname::text = ANY ($1::text[])`,
    [names],
  );
  const members = await readMembers(session, names);
  const found = new Map(rows.map((row) => [row['name']!, row]));
  return names.map((name) => {
    const is = (column: string) => found.get(name)?.[column] === 't';
    return {
      name,
      exists: found.has(name),
      canLogIn: is('rolcanlogin'),
      superuser: is('rolsuper'),
      member: is('member'),
      admin: is('admin'),
      members: members.filter(({ group }) => group === name).map(({ member }) => member),
    };
  });
}

/** Members of the roles, and members of those, who log in themselves. */
async function readMembers(session: Session, names: string[]): Promise<{ group: string; member: string }[]> {
  const rows = await session.query(
    `WITH RECURSIVE inside (root, member) AS (
       SELECT m.roleid, m.member FROM pg_catalog.pg_auth_members m
       JOIN pg_catalog.pg_roles r ON r.oid = m.roleid WHERE r.rolname::text = ANY ($1::text[])
       UNION
       SELECT i.root, m.member FROM inside i JOIN pg_catalog.pg_auth_members m ON m.roleid = i.member)
     SELECT g.rolname::text AS group, r.rolname::text AS member FROM inside i
     JOIN pg_catalog.pg_roles g ON g.oid = i.root JOIN pg_catalog.pg_roles r ON r.oid = i.member
     WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> CURRENT_USER AND NOT r.rolname::text = ANY ($1::text[])
     ORDER BY 1, 2`,
    [names],
  );
  return rows.map((row) => ({ group: row['group']!, member: row['member']! }));
}

/**
 * Roles that may log in to the database although all of these client roles are refused: neither superusers, nor the
 * runner's own, nor the database's owner. None where the fence is a CONNECTION LIMIT.
 */
export async function readOtherLogins(session: Session, database: string, clientRoles: string[]): Promise<string[]> {
  if (clientRoles.length === 0) return [];
  const rows = await session.query(
    `SELECT r.rolname::text AS name FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
     WHERE d.datname = $1 AND r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> CURRENT_USER AND r.oid <> d.datdba
       AND NOT r.rolname::text = ANY ($2::text[]) AND pg_catalog.has_database_privilege(r.oid, d.oid, 'CONNECT')
     ORDER BY 1`,
    [database, clientRoles],
  );
  return rows.map((row) => row['name']!);
}
