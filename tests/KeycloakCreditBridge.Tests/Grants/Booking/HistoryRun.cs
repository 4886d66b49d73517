using System.Collections.Concurrent;
using KeycloakCreditBridge.Grants.Given;
using KeycloakCreditBridge.Tests.Grants.Lots;

namespace KeycloakCreditBridge.Tests.Grants.Booking;

/// <summary>Tells the history of one account to two replicas, day by day.</summary>
internal sealed class HistoryRun(ReplicaPairFixture fixture, string name, IReadOnlyList<ModelRow> rows, bool isSerial)
{
    private readonly DateTimeOffset _start = fixture.Clock.GetUtcNow();
    private readonly ExpiryModel _model = new();
    private readonly ConcurrentDictionary<string, string> _ids = new(StringComparer.Ordinal);
    private int _told;
    private long _lastPeriod = -1;

    public string Name => name;

    public long LastDay => rows[^1].At;

    /// <summary>Carries out the rows of a day.</summary>
    public async Task RunDayAsync(long day)
    {
        List<ModelRow> today = [.. rows.Where(row => row.At == day && IsPossible(row))];
        if (isSerial)
        {
            foreach (var row in today)
                await TellAsync(row);
        }
        else
        {
            var accepted = await Task.WhenAll(today.Select((row, index) => TryAsync(row, index % 2)));
            _told += accepted.Count(done => done);
            Check(await fixture.ReadAsync((int)(day % 2), name));
        }
    }

    /// <summary>The account is what the model makes of its ledger.</summary>
    public async Task CheckEndAsync()
    {
        var (model, ended) = await LedgerStory.ReadAsync(fixture.Database, name, fixture.Clock.GetUtcNow());
        var account = await fixture.ReadAsync(0, name);
        Assert.Equal((name, model.Balance, model.Debt), (name, account.Balance, account.Debt));
        Assert.Equal(Lots(model.Lots), Lots(account.Grants.ToDictionary(grant => grant.Key, grant => grant.Remainder)));
        Assert.Equal(model.BookedOut.Where(item => item.Reason == "expire"), ended);
        Assert.True(_told > 0 || rows.All(row => row is ModelRow.Forfeit), $"Nothing happened on {name}.");
    }

    // What the model knows is compared after each row, as the other replica reads it: time goes on for a row that is refused too.
    private async Task TellAsync(ModelRow row)
    {
        if (await fixture.ApplyAsync(_told % 2, name, row, _start, _ids))
            _model.Apply(Fine(row));
        else
            _model.Expire(FineAt(row));
        _told++;
        var account = await fixture.ReadAsync(_told % 2, name);
        Check(account);
        Assert.Equal((name, _model.Balance, _model.Debt), (name, account.Balance, account.Debt));
        Assert.Equal(
            Lots(_model.Lots.ToDictionary(lot => $"tx:{_ids[lot.Key]}", lot => lot.Value)),
            Lots(account.Grants.ToDictionary(grant => grant.Key, grant => grant.Remainder)));
    }

    private async Task<bool> TryAsync(ModelRow row, int replica)
    {
        await Task.Yield();
        return await fixture.ApplyAsync(replica, name, row, _start, _ids);
    }

    // Rows of a day before are told; a refund or void of a row that was refused has nothing to name. A period ends once a day.
    private bool IsPossible(ModelRow row)
    {
        if (row is ModelRow.Forfeit && row.At == _lastPeriod)
            return false;
        if (row is ModelRow.Forfeit)
            _lastPeriod = row.At;
        return isSerial || row switch
        {
            ModelRow.Refund { Of: { } of } => _ids.ContainsKey(of),
            ModelRow.Void taken => _ids.ContainsKey(taken.Of),
            _ => true,
        };
    }

    // Rows of a day follow each other, while ends come between days. The replicas keep bought credits.
    private ModelRow Fine(ModelRow row) => row switch
    {
        ModelRow.Forfeit forfeit => forfeit with { At = FineAt(row), KeepPaid = true },
        ModelRow.Grant grant => grant with { At = FineAt(row), Ends = grant.Ends * 1_000 },
        _ => row with { At = FineAt(row) },
    };

    private long FineAt(ModelRow row) => (row.At * 1_000) + _told;

    private void Check(AccountGrants account)
    {
        Assert.Equal((name, account.Grants.Sum(grant => grant.Remainder) - account.Debt), (name, account.Balance));
        Assert.All(account.Grants, grant => Assert.InRange(grant.Remainder, 0m, grant.Amount));
    }

    private static IEnumerable<string> Lots(IEnumerable<KeyValuePair<string, decimal>> lots) =>
        lots.Select(lot => $"{lot.Key} {lot.Value:0.######}").Order(StringComparer.Ordinal);
}
