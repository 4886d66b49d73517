namespace KeycloakCreditBridge.Setup;

/// <summary>What is to be done in one realm, in this order.</summary>
/// <param name="Steps">None when all is right.</param>
/// <param name="Notes">What the operator should know and setup does not change.</param>
internal sealed record RealmPlan(IReadOnlyList<SetupStep> Steps, IReadOnlyList<string> Notes)
{
    /// <summary>The plan's lines: `+` adds, `~` changes, `-` removes, `!` is a note.</summary>
    public IEnumerable<string> Lines => Steps.SelectMany(step => step.Lines).Concat(Notes.Select(note => $"! {note}"));

    public async Task ApplyAsync(CancellationToken cancellationToken)
    {
        foreach (var step in Steps)
            await step.ApplyAsync(cancellationToken);
    }
}

/// <param name="Lines">One line for each visible change; one request may make several.</param>
/// <param name="ApplyAsync">Makes the changes.</param>
internal sealed record SetupStep(IReadOnlyList<string> Lines, Func<CancellationToken, Task> ApplyAsync);
