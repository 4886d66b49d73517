namespace KeycloakCreditBridge.Setup;

/// <summary>What is to be done in one realm, in this order.</summary>
/// <param name="Steps">None when all is right.</param>
/// <param name="Notes">What the operator should know and setup does not change.</param>
internal sealed record RealmPlan(IReadOnlyList<SetupStep> Steps, IReadOnlyList<string> Notes)
{
    /// <summary>The plan's lines: `+` adds, `~` changes, `-` takes away, `!` is a note.</summary>
    public IEnumerable<string> Lines => Steps.SelectMany(change => change.Lines).Concat(Notes.Select(note => $"! {note}"));

    public async Task ApplyAsync(CancellationToken cancellationToken)
    {
        foreach (var change in Steps)
            await change.ApplyAsync(cancellationToken);
    }
}

/// <param name="Lines">How it is told: one line a change that can be seen, though one request may make several.</param>
/// <param name="ApplyAsync">Makes it.</param>
internal sealed record SetupStep(IReadOnlyList<string> Lines, Func<CancellationToken, Task> ApplyAsync);
