namespace KeycloakCreditBridge.Operations.Setup;

/// <summary>What is to be done in one realm, in this order.</summary>
/// <param name="Changes">None when all is right.</param>
/// <param name="Notes">What the operator should know and setup does not change.</param>
internal sealed record RealmPlan(IReadOnlyList<Change> Changes, IReadOnlyList<string> Notes)
{
    /// <summary>The plan's lines: `+` adds, `~` changes, `-` takes away, `!` is a note.</summary>
    public IEnumerable<string> Lines => Changes.SelectMany(change => change.Lines).Concat(Notes.Select(note => $"! {note}"));

    public async Task MakeAsync(CancellationToken cancellationToken)
    {
        foreach (var change in Changes)
            await change.MakeAsync(cancellationToken);
    }
}

/// <param name="Lines">How it is told: one line a change that can be seen, though one request may make several.</param>
/// <param name="MakeAsync">Makes it.</param>
internal sealed record Change(IReadOnlyList<string> Lines, Func<CancellationToken, Task> MakeAsync);
