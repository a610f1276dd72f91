import pg from 'pg';

/** An identifier as it stands in SQL; refuses what PostgreSQL could not store or would cut off. */
export function identifier(name: string): string {
  if (name.includes('\0') || name === '' || Buffer.byteLength(name) > 63)
    throw new Error(`"${name.replaceAll('\0', '\\0')}" cannot be the name of a database object`);
  return pg.escapeIdentifier(name);
}

/** A text as it stands in SQL, where a statement takes no parameters. */
export function literal(text: string): string {
  return pg.escapeLiteral(text);
}
