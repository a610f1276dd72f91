import { setFlagsFromString } from 'node:v8';

/**
 * PostgreSQL's grammar is one enormous function. V8 would find it hot after a few scripts and optimise it, which takes
 * 550 MB for a moment, more than the runner's memory limit; the first, unoptimised code parses everything in
 * milliseconds. Must be loaded before the parser is.
 */
setFlagsFromString('--liftoff-only');
