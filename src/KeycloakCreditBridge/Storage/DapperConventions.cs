using System.Data;
using System.Runtime.CompilerServices;
using Dapper;

namespace KeycloakCreditBridge.Storage;

/// <summary>
/// How rows become records, wherever a store is used: snake_case columns, instants as <see cref="DateTimeOffset"/> in UTC.
/// </summary>
internal static class DapperConventions
{
    [ModuleInitializer]
    internal static void Apply()
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        SqlMapper.AddTypeHandler(new InstantHandler());
    }

    private sealed class InstantHandler : SqlMapper.TypeHandler<DateTimeOffset>
    {
        public override void SetValue(IDbDataParameter parameter, DateTimeOffset value) => parameter.Value = value.UtcDateTime;

        public override DateTimeOffset Parse(object value) =>
            new(DateTime.SpecifyKind((DateTime)value, DateTimeKind.Utc), TimeSpan.Zero);
    }
}
