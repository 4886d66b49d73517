using CsCheck;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Models;

/// <summary>
/// Operators ask for runs and cancel them, two replicas begin, save, end and resume them, lose their leases, are killed and go on late,
/// and sessions are cut. After each step the table is what the model says: one run at work at most, none resumed from before its last
/// saved place, none begun again once it has ended or was cancelled.
/// </summary>
public sealed class RunModelTests(PostgresFixture postgres)
{
    private static readonly Gen<(int Kind, int Replica, int Choice, bool Cut)[]> Steps = Gen.Select(
        Gen.Int[0, 19], Gen.Int[0, 1], Gen.Int[0, 99], Gen.Int[0, 4], (kind, replica, choice, cut) => (kind, replica, choice, cut == 0))
        .Array[120];

    [Fact]
    public Task Runs_are_what_the_model_says_after_each_step() => Steps.SampleAsync(RunAsync, iter: Effort.Times(4), threads: 1);

    private async Task RunAsync((int Kind, int Replica, int Choice, bool Cut)[] steps)
    {
        await using var database = await postgres.CreateDatabaseAsync();
        await using var cuts = new SessionCuts(database);
        var model = new RunModel(database, cuts);
        foreach (var step in steps)
            await model.StepAsync(step.Kind, step.Replica, step.Choice, step.Cut);
        await model.DrainAsync();
    }
}
