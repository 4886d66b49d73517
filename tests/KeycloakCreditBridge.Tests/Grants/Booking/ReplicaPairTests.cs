using CsCheck;
using KeycloakCreditBridge.Tests.Grants.Lots;
using KeycloakCreditBridge.Tests.Storage;

namespace KeycloakCreditBridge.Tests.Grants.Booking;

/// <summary>
/// Random histories of many accounts on two replicas at once, while both sweep and the clock goes on from day to day. On serial accounts
/// one change follows the other, on racing ones those of a day come at the same moment.
/// </summary>
public sealed class ReplicaPairTests(PostgresFixture postgres)
{
    private const int Rows = 40;

    [Fact]
    public Task Whatever_happens_at_once_every_account_is_what_the_model_says() =>
        Gen.Select(Walk.Rows(Rows).Array[Effort.Times(20)], Walk.Rows(Rows).Array[Effort.Times(20)])
            .SampleAsync(RunAsync, iter: 1, threads: 1, print: _ => "the histories of this seed");

    private async Task RunAsync(IReadOnlyList<ModelRow>[] serial, IReadOnlyList<ModelRow>[] racing)
    {
        await using var fixture = await ReplicaPairFixture.StartAsync(postgres);
        var start = fixture.Clock.GetUtcNow();
        HistoryRun[] accounts =
        [
            .. serial.Select((rows, number) => new HistoryRun(fixture, $"serial-{number}", rows, isSerial: true)),
            .. racing.Select((rows, number) => new HistoryRun(fixture, $"racing-{number}", rows, isSerial: false)),
        ];
        await fixture.AddAsync(accounts.Select(account => account.Name));
        for (var day = 0L; day <= accounts.Max(account => account.LastDay) + 13; day++)
        {
            var today = Task.WhenAll([.. accounts.Select(account => account.RunDayAsync(day)), fixture.SweepAsync()]);
            await Task.WhenAll(today, fixture.WatchSumsAsync(today));
            await fixture.CheckSumsAsync();
            fixture.Clock.SetUtcNow(start.AddDays(day + 1));
        }

        await fixture.SweepAsync();
        await fixture.CheckSumsAsync();
        foreach (var account in accounts)
            await account.CheckEndAsync();
    }
}
