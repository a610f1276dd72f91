import { expect } from 'chai';
import { ConfigError, readConfig } from './config.ts';

const complete = { DATABASE_URL: 'postgresql://planner_app@db/planner', API_TOKEN: 'secret' };

describe('the configuration of the planner', () => {
  it('is read from the environment, with port 8080 by default', () => {
    expect(readConfig(complete)).to.deep.equal({
      databaseUrl: complete.DATABASE_URL,
      apiToken: 'secret',
      port: 8080,
    });
    expect(readConfig({ ...complete, PORT: '3000' }).port).to.equal(3000);
  });

  it('names everything that is wrong at once, and no value of it', () => {
    const wrong = { DATABASE_URL: 'mysql://user:hunter2@db/planner', API_TOKEN: 'with space', PORT: '99999' };
    expect(() => readConfig(wrong))
      .to.throw(ConfigError)
      .with.property('message')
      .that.matches(/DATABASE_URL.*API_TOKEN.*PORT/)
      .and.does.not.match(/hunter2|with space/);
    expect(() => readConfig({})).to.throw(ConfigError, /DATABASE_URL is not set.*API_TOKEN is not set/);
  });
});
