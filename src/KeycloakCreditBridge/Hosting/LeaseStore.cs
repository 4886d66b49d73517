using Dapper;
using Npgsql;

namespace KeycloakCreditBridge.Hosting;

/// <summary>Work that only one replica does at a time. A lease that is not renewed falls to the next owner that asks.</summary>
internal sealed class LeaseStore(NpgsqlDataSource dataSource, TimeProvider clock)
{
    private const string TakeSql =
        """
        insert into leases (name, owner, held_until) values (@Name, @Owner, @Until)
        on conflict (name) do update set owner = excluded.owner, held_until = excluded.held_until
            where leases.owner = excluded.owner or leases.held_until <= @Now
        """;

    private const string ReleaseSql = "delete from leases where name = @Name and owner = @Owner";

    /// <summary>A name for this process and one piece of its work.</summary>
    public static string NewOwner() => $"{Environment.MachineName}/{Environment.ProcessId}/{Guid.NewGuid():N}";

    /// <summary>Takes or renews the lease; false when another owner holds it.</summary>
    public async Task<bool> TakeAsync(string name, string owner, TimeSpan duration, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        var rows = await connection.ExecuteAsync(new CommandDefinition(
            TakeSql, new { Name = name, Owner = owner, Until = now + duration, Now = now }, cancellationToken: cancellationToken));
        return rows == 1;
    }

    /// <summary>Gives the lease back at once instead of letting it run out.</summary>
    public async Task ReleaseAsync(string name, string owner, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(
            new CommandDefinition(ReleaseSql, new { Name = name, Owner = owner }, cancellationToken: cancellationToken));
    }
}
