import React from 'react';

import { details, versions } from '../format';
import type { IDetail } from '../format';
import type { ILabConfig } from '../labConfig';

const MONOSPACED = new Set(['Tag', 'Digest']);

function Rows(props: { rows: IDetail[] }): React.ReactElement {
  return (
    <tbody>
      {props.rows.map(({ label, value }) => (
        <tr key={label}>
          <th scope="row">{label}</th>
          <td className={MONOSPACED.has(label) ? 'dpj-Details-mono' : ''}>
            {value}
          </td>
        </tr>
      ))}
    </tbody>
  );
}

/** Environment, size and user, then the versions of packages. */
export function Details(props: {
  config: ILabConfig;
  packagesTitle: string;
}): React.ReactElement {
  const { config } = props;
  const packages = versions(config);
  return (
    <div>
      <table className="dpj-Details-table">
        <Rows rows={details(config)} />
      </table>
      {packages.length > 0 && (
        <table className="dpj-Details-table">
          <caption>{props.packagesTitle}</caption>
          <Rows rows={packages} />
        </table>
      )}
      {config.problem !== null && (
        <p className="dpj-Details-problem">{config.problem}</p>
      )}
    </div>
  );
}
