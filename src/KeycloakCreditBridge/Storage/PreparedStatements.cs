using Dapper;
using Npgsql;
using NpgsqlTypes;

namespace KeycloakCreditBridge.Storage;

/// <summary>Statements of the busy paths, which each connection plans once.</summary>
internal static class PreparedStatements
{
    // Prepared by name: Npgsql's automatic preparing leaves the connection unusable when the run that prepares fails (npgsql#6391), and
    // here a run may fail, as one user's data can be refused.
    public static async Task<IReadOnlyList<T>> QueryPreparedAsync<T>(
        this NpgsqlDataSource dataSource, string sql, IEnumerable<NpgsqlParameter> parameters, CancellationToken cancellationToken)
    {
        await using var connection = await dataSource.OpenConnectionAsync(cancellationToken);
        return await connection.QueryPreparedAsync<T>(sql, parameters, cancellationToken);
    }

    /// <summary>The same on a connection that the caller holds, in its transaction if there is one.</summary>
    public static async Task<IReadOnlyList<T>> QueryPreparedAsync<T>(
        this NpgsqlConnection connection, string sql, IEnumerable<NpgsqlParameter> parameters, CancellationToken cancellationToken)
    {
        var statement = PositionalSql.Of(sql);
#pragma warning disable CA2100 // The callers' statements are constants.
        await using var command = new NpgsqlCommand(statement.Text, connection);
#pragma warning restore CA2100
        statement.Add(parameters, command.Parameters);
        await command.PrepareAsync(cancellationToken);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        List<T> rows = [];
        if (reader.FieldCount == 0)
            return rows;
        // Dapper has no parser for rows of one text.
        var parse = typeof(T) == typeof(string)
            ? row => row.IsDBNull(0) ? default! : row.GetFieldValue<T>(0)
            : reader.GetRowParser<T>();
        while (await reader.ReadAsync(cancellationToken))
            rows.Add(parse(reader));
        return rows;
    }

    /// <summary>A parameter that holds one value for each row of a batch.</summary>
    public static NpgsqlParameter Column<TRow, TValue>(
        this IReadOnlyCollection<TRow> batch, string name, NpgsqlDbType type, Func<TRow, TValue> value) =>
        new(name, NpgsqlDbType.Array | type) { Value = batch.Select(value).ToArray() };
}
