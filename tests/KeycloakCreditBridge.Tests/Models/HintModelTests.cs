using CsCheck;
using KeycloakCreditBridge.Tests.Provisioning;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Models;

/// <summary>
/// Hints come, two replicas claim, complete, postpone and dead-letter them, hold them beyond their leases, are killed and go on late,
/// operators retry and drop them, and sessions are cut. After each step the table is what the model says.
/// </summary>
public sealed class HintModelTests(PostgresFixture postgres)
{
    private static readonly Gen<(int Kind, int Replica, int Choice, bool Cut)[]> Steps = Gen.Select(
        Gen.Int[0, 19], Gen.Int[0, 1], Gen.Int[0, 99], Gen.Int[0, 4], (kind, replica, choice, cut) => (kind, replica, choice, cut == 0))
        .Array[100];

    [Fact]
    public Task Hints_are_what_the_model_says_after_each_step() => Steps.SampleAsync(RunAsync, iter: Effort.Times(3), threads: 1);

    private async Task RunAsync((int Kind, int Replica, int Choice, bool Cut)[] steps)
    {
        await using var fixture = await AccountFixture.StartAsync(postgres);
        await using var cuts = new SessionCuts(fixture.Database);
        var model = new HintModel(fixture, cuts);
        foreach (var step in steps)
            await model.StepAsync(step.Kind, step.Replica, step.Choice, step.Cut);
        await model.DrainAsync();
    }
}
