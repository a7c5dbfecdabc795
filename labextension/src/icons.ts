import { LabIcon } from '@jupyterlab/ui-components';

import markSvg from '../style/icons/mark.svg';

/** The mark of the platform: a clear horizon with one star. */
export const markIcon = new LabIcon({
  name: 'despejado-lab:mark',
  svgstr: markSvg
});
