using KeycloakCreditBridge.Tests.Storage;
using Npgsql;

namespace KeycloakCreditBridge.Tests.Models;

/// <summary>Cuts sessions of a database while they work, as a network does: whether a commit was carried out is then unknown.</summary>
internal sealed class SessionCuts(TestDatabase database) : IAsyncDisposable
{
    private const string Name = "cuts";

    private const string CutSql =
        $"""
        select pg_terminate_backend(pid) from (
            select pid from pg_stat_activity
            where datname = current_database() and backend_type = 'client backend' and application_name <> '{Name}'
                and state in ('active', 'idle in transaction')
            order by random() limit 1) a
        """;

    // A session that was cut holds its locks until its process has ended.
    private const string AtWorkSql =
        $"""
        select count(*) from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and application_name <> '{Name}'
            and state in ('active', 'idle in transaction')
        """;

    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create($"{database.ConnectionString};Application Name={Name}");

    /// <summary>Does some work while one session is cut; false where it met the cut and may have been done or not.</summary>
    public async Task<bool> TryAsync(bool cut, Func<Task> work)
    {
        var working = Task.Run(work);
        if (cut)
            await CutAsync(working);
        try
        {
            await working;
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    /// <summary>Does some work while one session is cut, and repeats it until it is known to be done, as callers do.</summary>
    public async Task RepeatAsync(bool cut, Func<Task> work)
    {
        while (!await TryAsync(cut, work))
            cut = false;
    }

    /// <summary>Waits until no session works, and has none of before used again.</summary>
    public async Task SettleAsync()
    {
        await Eventually.TrueAsync(async () => await CountAsync(AtWorkSql) == 0, "no session is at work");
        database.DataSource.Clear();
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    private async Task CutAsync(Task working)
    {
        while (!working.IsCompleted)
        {
            await using var command = _source.CreateCommand(CutSql);
            if (await command.ExecuteScalarAsync() is not null)
                return;
        }
    }

    private async Task<long> CountAsync(string sql)
    {
        await using var command = _source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
