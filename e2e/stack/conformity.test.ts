import { expect } from 'chai';
import { problemsAtEnd, problemsOf } from './conformity.ts';
import type { Migration } from './objects.ts';

const said = { reason: 'Preparing', message: 'Preparing a → b.', observedGeneration: 1 };
const lastTransitionTime = '2026-01-01T00:00:00Z';
const condition = (type: string, status: string, more = {}) => ({ type, status, ...said, lastTransitionTime, ...more });

function migration(conditions: object[], status = {}): Migration {
  return {
    metadata: { name: 'a', generation: 1 },
    status: { observedGeneration: 1, phase: 'Preparing', conditions, ...status },
  } as unknown as Migration;
}

const underWay = [condition('Ready', 'False'), condition('Succeeded', 'Unknown'), condition('Reconciling', 'True')];

describe('the conformity of a status', () => {
  it('finds nothing in one that conforms', () => {
    expect(problemsOf(migration(underWay), migration(underWay))).to.deep.equal([]);
    expect(problemsAtEnd(migration(underWay))).to.deep.equal([]);
  });

  const wrong: [string, Migration][] = [
    ['ahead of generation', migration(underWay, { observedGeneration: 2 })],
    ['no condition Ready', migration([condition('Reconciling', 'True')])],
    [
      'Reconciling is there although it is False',
      migration([...underWay.slice(0, 2), condition('Reconciling', 'False')]),
    ],
    ['both there', migration([...underWay, condition('Stalled', 'True')])],
    ['Ready is True although Reconciling', migration([condition('Ready', 'True'), condition('Reconciling', 'True')])],
    ['Reconciling in phase Succeeded', migration(underWay, { phase: 'Succeeded' })],
    ['not documented', migration([condition('Ready', 'False', { reason: 'Whatever' })])],
    ['not documented', migration([condition('Happy', 'True'), ...underWay])],
    ['speaks of generation 0', migration([condition('Ready', 'False', { observedGeneration: 0 })])],
    ['no sentence', migration([condition('Ready', 'False', { message: 'step undefined.' })])],
    ['does not end like a sentence', migration([condition('Ready', 'False', { message: 'oh' })])],
    ['different things', migration([...underWay.slice(1), condition('Ready', 'False', { message: 'Else.' })])],
    [
      'lastTransitionTime of Ready changed',
      migration([condition('Ready', 'False', { lastTransitionTime: '2026-01-01T00:00:01Z' }), ...underWay.slice(1)]),
    ],
  ];
  for (const [sentence, object] of wrong)
    it(`finds "${sentence}"`, () => {
      expect(problemsOf(object, migration(underWay)).join('\n')).to.include(sentence);
    });

  it('tells a stack trace from a time', () => {
    const saying = (message: string) =>
      problemsOf(migration([condition('Ready', 'False', { message })]), migration(underWay)).join();
    expect(saying('no: at work (file:///app/main.mjs:10:5).')).to.include('no sentence');
    expect(saying('It is at step Unfence, since 2026-11-22T03:39:24Z.')).not.to.include('no sentence');
  });

  it('finds a status of an older generation at the end', () => {
    const object = migration(underWay);
    object.metadata.generation = 2;
    expect(problemsAtEnd(object)).to.have.length(1);
  });
});
