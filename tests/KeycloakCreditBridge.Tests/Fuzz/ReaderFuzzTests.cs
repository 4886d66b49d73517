using KeycloakCreditBridge.Chaos.Fuzzing;

namespace KeycloakCreditBridge.Tests.Fuzz;

/// <summary>The same as the rig's `--fuzz 1000000`, for some seconds.</summary>
public sealed class ReaderFuzzTests
{
    private const int Seed = 1;

    [Fact]
    public async Task Every_reader_of_foreign_bodies_reads_or_refuses_a_fuzzed_one_and_takes_no_unproven_sender()
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {Seed}");
        var run = new FuzzRun(Seed);
        // A thread of its own: tests that run beside it need those of the pool.
        await Task.Factory.StartNew(
            () => run.Read(0, Effort.Times(20_000), threads: 1), TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        Findings.None(run.Findings);
        // Were nearly all refused at the first byte, little would have been tried.
        Assert.All(run.Tallies.Values, tally => Assert.True(tally.Taken > tally.Refused / 50));
    }
}
