import { run } from '../common/server.ts';
import { planner } from './planner.ts';

run(planner);
