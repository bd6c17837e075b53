// Made from notebooks/04_chainlit.ipynb by: python lab.py export
export default function Badge() {
  const { place, name, facts, ended } = props
  const border = place === 'local' ? '' : 'border-dashed'
  return (
    <div className="flex flex-wrap items-center gap-2 text-xs text-muted-foreground" role="note">
      <span className={`rounded border px-1.5 py-0.5 font-medium text-foreground ${border}`}>{name}</span>
      <span>{[...facts, ended].filter(Boolean).join(' · ')}</span>
    </div>
  )
}
