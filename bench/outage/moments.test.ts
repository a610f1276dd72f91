import { expect } from 'chai';
import { momentsOf, type PodEvent } from './moments.ts';

const pod = (at: number, name: string, state: '' | 'ready' | 'ending' | 'ended'): PodEvent => ({
  at,
  name,
  isReady: state === 'ready',
  isTerminating: state === 'ending' || state === 'ended',
  hasEnded: state === 'ended',
});
const scales = [
  { at: 0, replicas: 2 },
  { at: 100, replicas: 0 },
  { at: 500, replicas: 2 },
];
const endings = [
  pod(1, 'a', 'ready'),
  pod(2, 'b', 'ready'),
  pod(130, 'b', 'ending'),
  pod(160, 'a', 'ending'),
  pod(300, 'a', 'ending'),
];
const ends = [pod(350, 'a', 'ended'), pod(320, 'b', 'ended'), pod(370, 'b', 'ended')];

describe('momentsOf', () => {
  it('finds when each thing was first seen', () => {
    const pods = [
      ...endings,
      ...ends,
      pod(510, 'c', ''),
      pod(900, 'd', 'ready'),
      pod(800, 'c', 'ready'),
      pod(950, 'c', 'ready'),
    ];
    expect(momentsOf(scales, pods)).to.deep.equal({
      scaledDown: 100,
      allTerminating: 160,
      allEnded: 350,
      scaledUp: 500,
      firstReady: 800,
      allReady: 900,
    });
  });

  it('says what it has not seen', () => {
    expect(() => momentsOf(scales.slice(0, 1), [])).to.throw('scaled down');
    expect(() => momentsOf(scales.slice(0, 2), endings)).to.throw('scaled up');
    expect(() => momentsOf(scales, endings.slice(0, 3))).to.throw('every old pod told to end');
    expect(() => momentsOf(scales, endings)).to.throw('every old pod ended');
    expect(() => momentsOf(scales, [...endings, ...ends])).to.throw('the first new pod ready');
    expect(() => momentsOf(scales, [...endings, ...ends, pod(800, 'c', 'ready')])).to.throw('2 new pods ready');
  });
});
