using Dapper;
using KeycloakCreditBridge.Chaos.Evidence;
using Npgsql;

namespace KeycloakCreditBridge.Chaos.Plants;

/// <summary>A broken promise, put into what the checks go by so that one of them is seen to fail.</summary>
/// <param name="Name">What is broken.</param>
/// <param name="Check">The check that has to find it.</param>
/// <param name="Sql">What it does to the database, in a transaction that is rolled back.</param>
/// <param name="Change">What it does to the rest.</param>
internal sealed record Plant(string Name, string Check, string? Sql = null, Func<CaseFile, CaseFile>? Change = null)
{
    public async Task<CaseFile> SowAsync(NpgsqlConnection connection, CaseFile sound)
    {
        var file = sound;
        if (Sql is not null)
        {
            await using var transaction = await connection.BeginTransactionAsync();
            var changed = await connection.ExecuteAsync(Sql);
            if (changed == 0)
                throw new InvalidOperationException($"The plant {Name} changes nothing: the run before it was too small.");
            var read = await CaseFile.ReadAsync(connection, sound.History, sound.Users);
            file = read with
            {
                TakenEvents = sound.TakenEvents, Faults = sound.Faults, Scrapes = sound.Scrapes, Log = sound.Log, Ends = sound.Ends,
            };
            await transaction.RollbackAsync();
        }

        return Change is null ? file : Change(file);
    }
}
