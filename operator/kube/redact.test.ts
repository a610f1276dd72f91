import { expect } from 'chai';
import fc from 'fast-check';
import { redact } from './redact.ts';

const secret = 's3cr3t-Pa55word';
const token = 'eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl_abc-123';

describe('redact', () => {
  const cases: [what: string, text: string, expected: string][] = [
    ['a URL', `postgres://app:${secret}@db:5432/planner`, 'postgres://app:***@db:5432/planner'],
    ['a URL without a user', `redis://:${secret}@cache`, 'redis://:***@cache'],
    ['a URL whose password holds @ and /', `postgresql://app:p@ss/w:rd@db/planner`, 'postgresql://app:***@db/planner'],
    ['a URL in quotes', `connect to "postgres://u:${secret}@db" failed`, 'connect to "postgres://u:***@db" failed'],
    ['a query parameter', `postgres://db/x?user=u&password=${secret}&a=b`, 'postgres://db/x?user=u&password=***&a=b'],
    ['a keyword string', `host=db password=${secret} user=app`, 'host=db password=*** user=app'],
    ['a quoted keyword', `host=db password='a b\\'c' user=app`, 'host=db password=*** user=app'],
    ['an environment variable', `PGPASSWORD=${secret} pg_dump`, 'PGPASSWORD=*** pg_dump'],
    ['another environment variable', `POSTGRES_PASSWORD=${secret} run`, 'POSTGRES_PASSWORD=*** run'],
    ['a printed object', `{ user: 'a', password: '${secret}', port: 1 }`, `{ user: 'a', password: ***, port: 1 }`],
    ['JSON', `{"dbPassword":"a\\"${secret}","port":1}`, `{"dbPassword":***,"port":1}`],
    [
      'JSON in a string of JSON',
      `"{\\"password\\": \\"${secret}\\",\\"port\\":1}"`,
      `"{\\"password\\": ***,\\"port\\":1}"`,
    ],
    ['YAML', `user: app\npassword: ${secret}\nport: 5432`, 'user: app\npassword: ***\nport: 5432'],
    ['a hash of Ruby', `{:password=>"${secret}", :port=>1}`, '{:password=>***, :port=>1}'],
    ['SQL', `ALTER ROLE app PASSWORD 'it''s'`, `ALTER ROLE app PASSWORD '***'`],
    ['a header', `Authorization: Bearer ${secret}`, 'Authorization: Bearer ***'],
    ['a bare ServiceAccount token', `token ${token} is expired`, 'token *** is expired'],
  ];
  for (const [what, text, expected] of cases) {
    it(`hides the secret of ${what}`, () => expect(redact(text)).to.equal(expected));
  }

  it('leaves ordinary sentences alone', () => {
    for (const text of [
      'Deployment planner-staging/planner-backend has 3 of 3 replicas.',
      'https://10.0.0.1:6443/api/v1/namespaces/default/pods?limit=500',
      'password authentication failed for user "planner_app"',
      'postgres://db:5432/planner as user@example.com',
      'at 2026-03-01T10:00:00Z, image repo:tag@sha256:0123',
    ]) {
      expect(redact(text)).to.equal(text);
    }
  });

  it('hides every password in a URL, whatever stands around it, and may be applied twice', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9_.!$%*+-]{1,20}$/);
    fc.assert(
      fc.property(word, fc.stringMatching(/^[A-Za-z0-9_.!$%*+@/:-]{6,30}$/), word, (user, password, host) => {
        const once = redact(`error: postgres://${user}:${password}@${host}/db (retrying)`);
        expect(once).to.equal(`error: postgres://${user}:***@${host}/db (retrying)`);
        expect(redact(once)).to.equal(once);
      }),
    );
  });

  it('is quick on long texts', () => {
    const long =
      'postgres://'.repeat(20_000) +
      'password='.repeat(20_000) +
      'password'.repeat(20_000) +
      'password: '.repeat(20_000) +
      'eyJ'.repeat(50_000);
    const began = performance.now();
    redact(long);
    expect(performance.now() - began).to.be.lessThan(1_000);
  });
});
