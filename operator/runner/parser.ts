/** A module of its own, so that it is loaded by {@link loadParser} and not before: see there. */
export { hasSqlDetails, parse } from 'libpg-query';
