/** PostgreSQL's own parser, in a module of its own so that it is loaded only by who parses. */
export { hasSqlDetails, parse } from 'libpg-query';
